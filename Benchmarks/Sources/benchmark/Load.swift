import NIOCore
import NIOPosix
import SecureSockets

/// What a case did, by the load's count.
struct Work {
    var units: Int
    var seconds: Double
}

/// The load: our own client, on one event loop.
struct Load: Sendable {
    let port: Int
    var tls: TLSConfiguration
    var header = PacketHeader.none

    private func connect() async throws -> SecureSocket {
        var options = SocketOptions()
        options.packetHeader = self.header
        return try await SecureSocket.connect(to: "127.0.0.1", port: self.port, tls: self.tls, options: options)
    }

    /// Full handshakes, `concurrency` at a time, each with one byte there and back.
    func handshakes(_ count: Int, concurrency: Int) async throws -> Work {
        try await self.timed(units: count) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<concurrency {
                    group.addTask {
                        for _ in stride(from: worker, to: count, by: concurrency) {
                            let socket = try await self.connect()
                            try await socket.send([BenchmarkProtocol.echo, 1])
                            _ = try await socket.receive(exactly: 1)
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

    /// Ping-pong of small messages over `connections` at a time.
    func echo(_ count: Int, size: Int, connections: Int) async throws -> Work {
        let message = ByteBuffer(repeating: 7, count: size)
        let each = count / connections
        return try await self.timed(units: each * connections) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<connections {
                    group.addTask {
                        let socket = try await self.connect()
                        // A door's server echoes from the first byte on.
                        try await socket.send([BenchmarkProtocol.echo])
                        var left = each * size
                        try await socket.send(message)
                        var expected = size
                        while left > 0, let bytes = try await socket.receive() {
                            expected -= bytes.readableBytes
                            if expected > 0 { continue }
                            left -= size
                            // An extra byte is the first one's echo.
                            expected += size
                            if left > 0 { try await socket.send(message) }
                        }
                        socket.close()
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// Bytes to the server.
    func sink(_ count: Int) async throws -> Work {
        try await self.timed(units: count) {
            let socket = try await self.connect()
            try await socket.send(BenchmarkProtocol.request(BenchmarkProtocol.sink, count: count))
            var left = count
            while left > 0 {
                let size = min(left, BenchmarkProtocol.payload.readableBytes)
                try await socket.send(BenchmarkProtocol.payload.getSlice(at: 0, length: size) ?? BenchmarkProtocol.payload)
                left -= size
            }
            _ = try await socket.receive(exactly: 1)
            socket.close()
        }
    }

    /// Bytes from the server.
    func source(_ count: Int) async throws -> Work {
        try await self.timed(units: count) {
            let socket = try await self.connect()
            try await socket.send(BenchmarkProtocol.request(BenchmarkProtocol.source, count: count))
            var left = count
            while left > 0, let bytes = try await socket.receive() { left -= bytes.readableBytes }
            guard left == 0 else { throw BenchmarkError("\(left) bytes of the source are missing") }
            socket.close()
        }
    }

    /// Connections that have done one echo and are then left alone; they stay open as long as the result is kept.
    func idle(_ count: Int) async throws -> [SecureSocket] {
        var sockets: [SecureSocket] = []
        for _ in 0..<count {
            let socket = try await self.connect()
            try await socket.send([BenchmarkProtocol.echo, 1])
            _ = try await socket.receive(exactly: 1)
            sockets.append(socket)
        }
        return sockets
    }

    private func timed(units: Int, _ body: () async throws -> Void) async throws -> Work {
        let clock = ContinuousClock()
        let elapsed = try await clock.measure { try await body() }
        return Work(
            units: units, seconds: Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18)
    }
}
