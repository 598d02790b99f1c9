import CallCounter
import NIOCore
import SecureSockets
import TestSupport
import Testing

/// What a message and a connection cost: not in time, which depends on the machine, but in calls, which do not. A change that makes one
/// of these fail has made something dearer; raise a limit only with a reason.
///
/// Allocations are those of a debug build, which has a few more than a release build.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: call_counter_works(), "calls are counted with glibc only"))
struct `The cost of` {
    /// Calls of a server's event loop for each of some units of work.
    struct Cost {
        let allocations, receives, sends, waits, others: Double

        init(from before: call_counts, to after: call_counts, units: Int) {
            func each(_ count: KeyPath<call_counts, UInt>) -> Double {
                Double(after[keyPath: count] - before[keyPath: count]) / Double(units)
            }
            self.allocations = each(\.allocations)
            self.receives = each(\.receives)
            self.sends = each(\.sends)
            self.waits = each(\.waits)
            self.others = each(\.others)
        }
    }

    /// An echo server on an event loop of its own, and what that loop's thread has done so far.
    private func withServer(
        _ options: SocketOptions = .patient,
        _ body: (_ connect: () async throws -> SecureSocket, _ counts: () async throws -> call_counts) async throws -> Void
    ) async throws {
        let certificates = try TestCertificates.shared.get()
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), socketOptions: options, on: group)
        let serving = Task {
            try await listener.serve { socket in for try await bytes in socket.incoming { try await socket.send(bytes) } }
        }
        let port = listener.localEndpoint.port
        let client = try certificates.clientConfiguration()
        try await body {
            try await SecureSocket.connect(
                to: "127.0.0.1", port: port, tls: client, socketOptions: options, timeout: Encounter.patience)
        } _: {
            try await group.next().submit { call_counts_of_this_thread() }.get()
        }
        listener.close()
        try await serving.value
        try await group.shutdownGracefully()
    }

    private func echo(_ times: Int, _ socket: SecureSocket) async throws {
        let message = ByteBuffer(repeating: 7, count: 128)
        for _ in 0..<times {
            try await socket.send(message)
            _ = try await socket.receive(exactly: 128)
        }
    }

    @Test func `an echo is one receive, one send and one wait, and few allocations`() async throws {
        try await self.withServer { connect, counts in
            let socket = try await connect()
            try await self.echo(50, socket)
            let before = try await counts()
            try await self.echo(500, socket)
            let cost = Cost(from: before, to: try await counts(), units: 500)
            #expect(cost.receives <= 1.01)
            #expect(cost.sends <= 1.01)
            #expect(cost.waits <= 1.05)
            #expect(cost.others == 0)
            #expect(cost.allocations <= 13.5)
            socket.close()
        }
    }

    @Test func `a connection is few calls of the operating system, from the handshake to the end`() async throws {
        try await self.withServer { connect, counts in
            func visit() async throws {
                let socket = try await connect()
                try await self.echo(1, socket)
                try await socket.closeWriting()
                #expect(try await socket.receive() == nil)
                socket.close()
                try await socket.waitUntilClosed()
            }
            for _ in 0..<10 { try await visit() }
            let before = try await counts()
            for _ in 0..<100 { try await visit() }
            let cost = Cost(from: before, to: try await counts(), units: 100)
            // The hello; the rest of the handshake, perhaps with the message; the message; the end, in one or two.
            #expect(cost.receives <= 6)
            // The handshake; the ticket with the echo; the end.
            #expect(cost.sends <= 3.1)
            // accept and once in vain, the registration, the end of writing, close.
            #expect(cost.others <= 5.1)
            #expect(cost.waits <= 7)
            #expect(cost.allocations <= 290)
        }
    }
}
