import SecureSockets
import SecureSocketsTesting
import Testing

// The examples of SecureSocketsTesting's documentation are compiled beside this test.
@Test func `a pair is connected`() async throws {
    let identity = try TLSIdentity.development()
    let (client, server) = try await SecureSocket.connectedPair(
        client: TLSClientConfiguration(trust: .only(identity.certificates)), server: TLSServerConfiguration(identity: identity))
    try await client.send("hello")
    #expect(try await server.receive() == ByteBuffer(string: "hello"))
    client.close()
    server.close()
}
