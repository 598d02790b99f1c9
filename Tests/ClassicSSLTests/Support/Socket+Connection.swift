import ClassicSSL
import NIOCore
import SocketCore
import Testing

@testable import SecureSockets

extension SSL.Socket {
    /// What its connection says of itself.
    private func ask<Answer: Sendable>(
        _ question: @escaping @Sendable (Connection) -> Answer
    ) async throws -> Answer {
        let connection = try #require(self.secureSocket?.connection)
        return try await connection.wait(.receiving) { (waiter: Waiter<Answer>) in
            waiter.resume(.success(question(connection)))
        } forget: { _ in
            .failure(.cancelled(.receiving))
        }
    }

    /// How many calls of `recv` wait.
    func waitingReceives() async throws -> Int { try await self.ask { $0.receivers.count } }

    /// How many calls of `send` wait.
    func waitingSends() async throws -> Int { try await self.ask { $0.senders.count } }

    /// Whether it reads on from the network.
    func wantsToRead() async throws -> Bool { try await self.ask { $0.machine.wantsToRead($0.firstRequest) } }

    /// Has the operating system report an error while the connection reads.
    func fail(with number: Int32) async throws {
        try await self.ask { $0.transportBroke(IOError(errnoCode: number, reason: "read")) }
    }

    /// Waits until the connection has gone and its descriptor is free; then nothing can come any more.
    func waitUntilGone() async throws {
        try await self.secureSocket?.waitUntilClosed()
    }
}
