package import NIOCore
package import SecureSockets

/// Two connected ends.
package struct StreamPair: Sendable {
    package let client: SecureSocket
    package let server: SecureSocket

    package init(client: SecureSocket, server: SecureSocket) {
        self.client = client
        self.server = server
    }

    /// Each end with its peer.
    package var bothWays: [(SecureSocket, SecureSocket)] { [(self.client, self.server), (self.server, self.client)] }

    /// Two ends of a connection over the loopback interface, on the event loops of `group`.
    ///
    /// - Parameter clientOptions: nil: the same as the server's.
    package static func overLoopback(
        client: TLSClientConfiguration, server: TLSServerConfiguration, options: SocketOptions = .patient,
        clientOptions: SocketOptions? = nil, on group: any EventLoopGroup = SocketEventLoopGroup.shared
    ) async throws -> StreamPair {
        let listener = try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: server, socketOptions: options, on: group)
        async let accepted = listener.accept(timeout: Encounter.patience)
        let connected = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: client, socketOptions: clientOptions ?? options,
            timeout: Encounter.patience,
            on: group)
        defer { listener.close() }
        return StreamPair(client: connected, server: try await accepted)
    }
    /// Connects over a Unix domain socket in a temporary folder. The file is gone when this returns.
    package static func overUnixSocket(
        client: TLSClientConfiguration, server: TLSServerConfiguration, options: SocketOptions = .patient,
        on group: any EventLoopGroup = SocketEventLoopGroup.shared
    ) async throws -> StreamPair {
        let directory = try TemporaryDirectory()
        let path = directory.path(of: "socket")
        let listener = try await SecureListener.bind(unixSocket: path, tls: server, socketOptions: options, on: group)
        async let accepted = listener.accept(timeout: Encounter.patience)
        let connected = try await SecureSocket.connect(
            toUnixSocket: path, host: "127.0.0.1", tls: client, socketOptions: options, timeout: Encounter.patience, on: group)
        defer { listener.close() }
        return StreamPair(client: connected, server: try await accepted)
    }
}
