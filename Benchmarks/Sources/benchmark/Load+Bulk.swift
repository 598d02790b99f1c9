import NIOCore
import SecureSockets

extension Load {
    /// Bytes to the server.
    func sink(_ count: Int) async throws -> Work {
        try await Self.timed(units: count) {
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
        try await Self.timed(units: count) {
            let socket = try await self.connect()
            try await socket.send(BenchmarkProtocol.request(BenchmarkProtocol.source, count: count))
            var left = count
            while left > 0, let bytes = try await socket.receive() { left -= bytes.readableBytes }
            guard left == 0 else { throw BenchmarkError("\(left) bytes of the source are missing") }
            socket.close()
        }
    }
}
