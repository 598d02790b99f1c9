public import SecureSockets

extension SecureSocket {
    /// Makes two connected sockets in memory, with a real handshake between them and no network: for tests of a protocol.
    ///
    /// The sockets behave as those of a listener and of `SecureSocket.connect`, except that they have no addresses.
    ///
    /// - Parameters:
    ///   - client: The connecting side's configuration.
    ///   - server: The listening side's configuration.
    ///   - host: The host name or address that the client connects to and verifies. Default: `localhost`.
    ///   - options: The options of both sockets.
    ///   - fragmentation: How bytes are divided on their way, in both directions, from the first byte of the handshake. Default: they are not.
    ///   - clientToServer: What goes wrong with what the client sends after the handshake. Default: nothing.
    ///   - serverToClient: What goes wrong with what the server sends after the handshake. Default: nothing.
    ///   - timeout: The time limit of the handshake; nil: none.
    ///   - group: The event loops to take two from.
    /// - Throws: `SecureSocketError`: why the handshake failed on the client's side, or else on the server's. With TLS 1.3 a
    ///   client has completed its handshake before the server refuses its certificate, and the error is the server's.
    public static func connectedPair(
        client: TLSClientConfiguration,
        server: TLSServerConfiguration,
        host: String = "localhost",
        options: SocketOptions = SocketOptions(),
        fragmentation: Fragmentation = .whole,
        clientToServer: StreamFault = .none,
        serverToClient: StreamFault = .none,
        timeout: Duration? = .seconds(30),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared
    ) async throws(SecureSocketError) -> (client: SecureSocket, server: SecureSocket) {
        try await self.connectedInMemory(
            client: client, server: server, host: host, options: options, pieceLength: fragmentation.pieceLength,
            clientFault: clientToServer.fault, serverFault: serverToClient.fault, timeout: timeout, on: group)
    }
}
