import ClassicSSL
import Testing

/// The table of §7: every call in every state, for accepted and for connected sockets (§1.1: they behave alike).
@Suite("§7 Calls and states", .countsRules, .timeLimit(.minutes(5)))
struct CallTableTests {
    enum Call: String, CaseIterable, Sendable {
        case accept, send, recv, setoptsNodelay, setoptsOther, peername, sockname, port, controllingProcess, pid, close
    }

    enum State: String, CaseIterable, Sendable {
        case listener
        case passiveAccepted, passiveConnected, activeAccepted, activeConnected
        case gonePassiveAccepted, gonePassiveConnected, goneActiveAccepted, goneActiveConnected
        case closedListener, closedPassiveAccepted, closedActiveConnected

        var isActive: Bool { self.rawValue.lowercased().contains("active") }
        var isAccepted: Bool { self.rawValue.hasSuffix("Accepted") }

        /// The column of the table, in the order of `Call`.
        var column: [String] {
            switch self {
            case .listener:
                ["ok", "enotconn", "enotconn", "enotconn", "eoptions", "enotconn", "ok", "ok", "ok", "ok", "ok"]
            case .passiveAccepted, .passiveConnected:
                ["enotlistener", "ok", "ok", "ok", "eoptions", "ok", "ok", "ok", "ok", "ok", "ok"]
            case .activeAccepted, .activeConnected:
                ["enotlistener", "ok", "badcall", "ok", "eoptions", "ok", "ok", "ok", "ok", "ok", "ok"]
            case .gonePassiveAccepted, .gonePassiveConnected:
                ["enotlistener", "closed", "closed", "closed", "eoptions", "ok", "ok", "ok", "ok", "ok", "ok"]
            case .goneActiveAccepted, .goneActiveConnected:
                ["enotlistener", "closed", "badcall", "closed", "eoptions", "ok", "ok", "ok", "ok", "ok", "ok"]
            case .closedListener:
                ["closed", "closed", "closed", "closed", "eoptions", "closed", "closed", "closed", "closed", "ok", "ok"]
            case .closedPassiveAccepted, .closedActiveConnected:
                ["enotlistener", "closed", "closed", "closed", "eoptions", "closed", "closed", "closed", "closed", "ok", "ok"]
            }
        }
    }

    @Test(arguments: State.allCases)
    func `every call answers as its row says`(_ state: State) async throws {
        for (call, expected) in zip(Call.allCases, state.column) {
            try await SSL.withProcess { _ in
                let socket = try await Self.socket(in: state)
                let refusal = await reason { try await Self.make(call, on: socket) }
                #expect((refusal?.atom ?? "ok") == expected, "\(call) on \(state)")
            }
        }
    }

    @Test(arguments: [State.gonePassiveAccepted, .gonePassiveConnected])
    func `the rest of the data comes before closed`(_ state: State) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let (near, far) = pair.ends(acceptedFirst: state.isAccepted)
            try await SSL.send(far, "the rest")
            SSL.close(far)
            #expect(try await receive(8, from: near) == Array("the rest".utf8))
            for _ in 0..<3 { await #expect(throws: SSL.Reason.closed) { try await SSL.recv(near, 0, patience) } }
        }
    }

    private static func socket(in state: State) async throws -> SSL.Socket {
        switch state {
        case .listener: return try await Pair.listener()
        case .closedListener:
            let listener = try await Pair.listener()
            SSL.close(listener)
            return listener
        default: break
        }
        let pair = try await Pair(both: [.active(state.isActive)])
        let (near, far) = pair.ends(acceptedFirst: state.isAccepted)
        switch state {
        case .passiveAccepted, .passiveConnected: try await SSL.send(far, "something to receive")
        case .gonePassiveAccepted, .gonePassiveConnected:
            SSL.close(far)
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(near, 0, patience) }
        case .goneActiveAccepted, .goneActiveConnected:
            SSL.close(far)
            #expect(try await Note.next(of: near) == .closed)
        case .closedPassiveAccepted, .closedActiveConnected: SSL.close(near)
        default: break
        }
        return near
    }

    private static func make(_ call: Call, on socket: SSL.Socket) async throws {
        switch call {
        case .accept:
            // Somebody to be accepted, where that is possible; a call of `connect` with port 0 fails at once.
            let port = socket.secureSocket == nil ? try? SSL.port(socket) : nil
            async let client = reason { _ = try await SSL.connect("127.0.0.1", port ?? 0, [], patience) }
            _ = try await SSL.accept(socket, patience)
            _ = await client
        case .send: try await SSL.send(socket, "data")
        case .recv: _ = try await SSL.recv(socket, 0, patience)
        case .setoptsNodelay: try await SSL.setopts(socket, [.nodelay(true)])
        case .setoptsOther: try await SSL.setopts(socket, [.active(true)])
        case .peername: _ = try SSL.peername(socket)
        case .sockname: _ = try SSL.sockname(socket)
        case .port: _ = try SSL.port(socket)
        case .controllingProcess: try await SSL.controllingProcess(socket, SSL.Process.current)
        case .pid: _ = SSL.pid(socket)
        case .close: SSL.close(socket)
        }
    }
}
