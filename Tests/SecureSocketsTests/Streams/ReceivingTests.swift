import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `Receiving` {
    private func pair(_ options: SocketOptions) async throws -> StreamPair {
        let certificates = try TestCertificates.shared.get()
        let (client, server) = try await SecureSocket.connectedPair(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration(), options: options)
        return StreamPair(client: client, server: server)
    }

    @Test func `gets what was decrypted beyond the read-ahead, though nothing more comes`() async throws {
        var options = SocketOptions.patient
        options.readAhead = 1000
        let pair = try await self.pair(options)
        // Units that do not fit the read-ahead exactly; nothing is received before all of them have been sent.
        try await pair.client.send([UInt8](repeating: 1, count: 100))
        try await pair.client.send([UInt8](repeating: 2, count: 950))
        try await pair.server.send("all sent")
        _ = try await pair.client.receive(exactly: 8)
        var received = 0
        while received < 1050 {
            received += try #require(try await pair.server.receive(timeout: Encounter.patience)).readableBytes
        }
    }

    @Test func `serves the call behind one that gives up`() async throws {
        let pair = try await self.pair(SocketOptions.patient)
        let greedy = Task { try await pair.server.receive(exactly: 1000) }
        try await pair.client.send("ten bytes!")
        let modest = Task { try await pair.server.receive(timeout: Encounter.patience) }
        greedy.cancel()
        _ = await greedy.result
        #expect(try await modest.value == ByteBuffer(string: "ten bytes!"))
    }
}
