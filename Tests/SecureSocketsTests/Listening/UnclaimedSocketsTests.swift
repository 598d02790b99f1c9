import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSockets

@Suite struct `Established connections that wait for the program` {
    private func pair() async throws -> (client: SecureSocket, server: SecureSocket) {
        let certificates = try TestCertificates.shared.get()
        return try await SecureSocket.connectedPair(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration(), timeout: Encounter.patience)
    }

    @Test func `are not kept when they are established after the program has left`() async throws {
        let (first, second) = try await (self.pair(), self.pair())
        let unclaimed = UnclaimedSockets()
        #expect(unclaimed.append(ServedSocket(id: 1, socket: first.server)) == .added)
        #expect(unclaimed.abandon().map(\.id) == [1])
        #expect(unclaimed.append(ServedSocket(id: 2, socket: second.server)) == .isAbandoned)
        #expect(unclaimed.abandon().isEmpty)
    }

    @Test func `are returned in order, and then the end, also if the last comes after the end was decided`() async throws {
        let (first, second) = try await (self.pair(), self.pair())
        let unclaimed = UnclaimedSockets()
        _ = unclaimed.append(ServedSocket(id: 1, socket: first.server))
        unclaimed.end(after: 2)
        #expect(try await unclaimed.next()?.id == 1)
        async let last = unclaimed.next()?.id
        _ = unclaimed.append(ServedSocket(id: 2, socket: second.server))
        #expect(try await last == 2)
        #expect(try await unclaimed.next() == nil)
    }
}
