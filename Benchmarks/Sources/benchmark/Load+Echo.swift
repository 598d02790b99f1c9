import NIOCore
import SecureSockets

extension Load {
    /// Ping-pong on all of these connections at once: a message of `size` bytes and its echo, `each` times.
    func echo(_ size: Int, times each: Int, on sockets: [SecureSocket]) async throws -> Work {
        let message = ByteBuffer(repeating: 7, count: size)
        var roundTrips: [Double] = []
        roundTrips.reserveCapacity(each * sockets.count)
        let work = try await Self.timed(units: each * sockets.count) {
            try await withThrowingTaskGroup(of: [Double].self) { group in
                for socket in sockets {
                    group.addTask { try await Self.echo(message, times: each, on: socket) }
                }
                for try await microseconds in group { roundTrips += microseconds }
            }
        }
        return Work(units: work.units, seconds: work.seconds, roundTrips: roundTrips)
    }

    private static func echo(_ message: ByteBuffer, times count: Int, on socket: SecureSocket) async throws -> [Double] {
        let clock = ContinuousClock()
        var roundTrips: [Double] = []
        roundTrips.reserveCapacity(count)
        for _ in 0..<count {
            let start = clock.now
            try await Self.roundTrip(message, on: socket)
            roundTrips.append((clock.now - start).inMicroseconds)
        }
        return roundTrips
    }

    /// What both ends take in before somebody receives it.
    private static let fitsBetween = 16 << 10

    private static func roundTrip(_ message: ByteBuffer, on socket: SecureSocket) async throws {
        guard message.readableBytes > Self.fitsBetween else {
            try await socket.send(message)
            return try await Self.receive(message.readableBytes, from: socket)
        }
        // Were nothing received meanwhile, both ends' buffers would fill up and each would wait for the other.
        async let sent: Void = socket.send(message)
        try await Self.receive(message.readableBytes, from: socket)
        try await sent
    }

    private static func receive(_ count: Int, from socket: SecureSocket) async throws {
        var left = count
        while left > 0 {
            guard let bytes = try await socket.receive() else {
                throw BenchmarkError("the server ended in the middle of an echo")
            }
            left -= bytes.readableBytes
        }
    }
}
