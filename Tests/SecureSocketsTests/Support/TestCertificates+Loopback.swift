import SecureSockets
import TestSupport
import Testing

/// Listeners on the loopback interface and connections to it, with these certificates.
extension TestCertificates {
    func listen(_ listening: ListenerOptions = .patient) async throws -> SecureListener {
        try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.serverConfiguration(), socketOptions: .patient, options: listening)
    }

    func connect(to port: Int) async throws -> SecureSocket {
        try await SecureSocket.connect(
            to: "127.0.0.1", port: port, tls: self.clientConfiguration(), timeout: Encounter.patience)
    }

    /// Returns the error of a connection that must fail.
    func refusal(
        at port: Int, of host: String = "127.0.0.1", timeout: Duration = Encounter.patience
    ) async throws -> SecureSocketError {
        try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(
                to: host, port: port, tls: self.clientConfiguration(), timeout: timeout)
        }
    }
}

extension SecureSocket {
    /// Closes the socket and waits until its descriptor is closed too.
    func closeAndWait() async throws {
        self.close()
        try await self.waitUntilClosed()
    }
}
