package import SecureSockets

/// What became of a handshake over loopback, at both of its ends.
package struct Encounter: Sendable {
    package let client: Result<SecureSocket, SecureSocketError>
    package let server: Result<SecureSocket, SecureSocketError>

    /// Has a client connect to a server on a free port.
    package init(
        of client: TLSClientConfiguration, with server: TLSServerConfiguration, at host: String = "127.0.0.1"
    ) async throws {
        let listener = try await SecureListener.bind(host: host, port: 0, tls: server, socketOptions: .patient, options: .patient)
        async let accepted = Self.outcome { () async throws(SecureSocketError) in
            try await listener.accept(timeout: Self.patience)
        }
        self.client = await Self.outcome { () async throws(SecureSocketError) in
            try await SecureSocket.connect(
                to: host, port: listener.localEndpoint.port, tls: client, timeout: Self.patience)
        }
        self.server = await accepted
        listener.close()
    }

    /// Why the client failed. With TLS 1.3 its handshake may be complete before the server refuses it; then its first `receive`
    /// tells. nil if both went well.
    package var clientRefusal: SecureSocketError? {
        get async {
            do throws(SecureSocketError) {
                _ = try await self.client.get().receive(timeout: Self.patience)
                return nil
            } catch {
                return error
            }
        }
    }

    package var serverRefusal: SecureSocketError? {
        if case .failure(let error) = self.server { error } else { nil }
    }

    /// No test waits longer than this for anything.
    package static let patience = Duration.seconds(120)

    private static func outcome(
        _ body: () async throws(SecureSocketError) -> SecureSocket
    ) async -> Result<SecureSocket, SecureSocketError> {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }
}

extension SocketOptions {
    /// The defaults, but for what they wait for: on a busy machine, a hundred tests that begin together take their time.
    package static var patient: SocketOptions {
        var options = SocketOptions()
        options.lingerTimeout = Encounter.patience
        return options
    }
}

extension ListenerOptions {
    /// The defaults, but for what they wait for.
    package static var patient: ListenerOptions {
        var options = ListenerOptions()
        options.handshakeTimeout = Encounter.patience
        return options
    }
}
