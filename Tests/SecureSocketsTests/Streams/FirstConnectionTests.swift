import Testing

@Suite struct `The first connection` {
    @Test func `a client connects, verifies, and bytes flow both ways until both have closed`() async throws {
        try await Conversation.play()
    }
}
