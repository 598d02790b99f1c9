import NIOCore
import SecureSockets

/// What was done, by the load's count.
struct Work {
    let units: Int
    let seconds: Double
    /// How long each echo took, in microseconds.
    var roundTrips: [Double] = []
}

/// The load: our own client.
struct Load: Sendable {
    static let description = "SecureSocket.connect with default options, in the process that measures, on an event loop per core"

    let port: Int
    let tls: TLSClientConfiguration
    var header = PacketFraming.none
    /// Whether the server echoes from the first byte on, instead of reading there what it is to do.
    var echoesAtOnce = false

    /// - Parameter number: Of the connection, where there are so many that one address has not enough ports for them.
    func connect(number: Int? = nil) async throws -> SecureSocket {
        var options = SocketOptions()
        options.framing = self.header
        var connecting = ConnectOptions()
        // All of 127.0.0.0/8 is this machine only on Linux.
        #if os(Linux)
            connecting.localEndpoint = number.map { SocketEndpoint(host: "127.0.0.\(1 + $0 % 4)", port: 0) }
        #endif
        return try await SecureSocket.connect(
            to: "127.0.0.1", port: self.port, tls: self.tls, socketOptions: options, options: connecting)
    }

    /// What a connection to the server settles on.
    func negotiated() async throws -> String {
        let socket = try await self.greet()
        let information = socket.information
        await self.close([socket])
        return [information.cipherSuite.description, information.group?.description].compactMap(\.self).joined(separator: ", ")
    }

    /// A connection that has done one echo.
    private func greet(number: Int? = nil) async throws -> SecureSocket {
        let socket = try await self.connect(number: number)
        try await socket.send(self.echoesAtOnce ? [1] : [BenchmarkProtocol.echo, 1])
        guard try await socket.receive()?.readableBytes == 1 else { throw BenchmarkError("the server does not echo") }
        return socket
    }

    /// Handshakes, `concurrency` at a time, each with one byte there and back.
    func handshakes(_ count: Int, concurrency: Int) async throws -> Work {
        try await Self.timed(units: count) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<concurrency {
                    group.addTask {
                        for _ in stride(from: worker, to: count, by: concurrency) {
                            let socket = try await self.greet()
                            try await socket.closeWriting()
                            _ = try await socket.receive()
                            socket.close()
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// Connections that have done one echo and stay open until they are closed.
    func open(_ count: Int) async throws -> [SecureSocket] {
        try await withThrowingTaskGroup(of: [SecureSocket].self) { group in
            let concurrency = min(count, 16)
            for worker in 0..<concurrency {
                group.addTask {
                    var sockets: [SecureSocket] = []
                    for number in stride(from: worker, to: count, by: concurrency) {
                        sockets.append(try await self.greet(number: number))
                    }
                    return sockets
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    /// Closes them, and waits until they no longer take part in a limit.
    func close(_ sockets: [SecureSocket]) async {
        for socket in sockets { socket.close() }
        for socket in sockets { try? await socket.waitUntilClosed() }
    }

    static func timed(units: Int, _ body: () async throws -> Void) async throws -> Work {
        let elapsed = try await ContinuousClock().measure { try await body() }
        return Work(units: units, seconds: elapsed.inSeconds)
    }
}
