public import SecureSockets

extension SecureSocket {
    /// Creates two connected sockets in memory, with a real TLS handshake and no network, for tests of a protocol.
    ///
    /// The sockets behave like those of a listener and of `SecureSocket.connect`, except that they have no addresses.
    ///
    /// - Parameters:
    ///   - client: The connecting side's configuration.
    ///   - server: The listening side's configuration.
    ///   - host: The host name or address that the client connects to and verifies. Default: `localhost`.
    ///   - options: The options of both sockets.
    ///   - fragmentation: The division of the bytes in both directions, from the first byte of the handshake. Default: none.
    ///   - clientToServer: The fault of the data that the client sends after the handshake. Default: none.
    ///   - serverToClient: The fault of the data that the server sends after the handshake. Default: none.
    ///   - timeout: The time limit for the handshake; nil means no limit.
    ///   - group: The event loops, from which two are chosen.
    /// - Throws: `SecureSocketError`: the reason why the handshake failed on the client's side, or else on the server's. With TLS 1.3, a
    ///   client completes its handshake before the server refuses its certificate, so that the error is the server's.
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
