import SecureSockets
import TestSupport

/// The errors of a listener's handshakes, in the order in which they failed.
struct HandshakeFailures: Sendable {
    private let errors: AsyncStream<SecureSocketError>
    fileprivate let report: AsyncStream<SecureSocketError>.Continuation

    fileprivate init() {
        // More than the clients of any test cause.
        (self.errors, self.report) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(64))
    }

    /// Waits for the next one, of which the client may be informed earlier than the test. Require first that the client was refused.
    func next() async -> SecureSocketError? {
        for await error in self.errors { return error }
        return nil
    }
}

/// Serves a listener on a free port of 127.0.0.1 while `body` runs.
func withServedListener(
    _ tls: TLSServerConfiguration, _ handler: @escaping @Sendable (SecureSocket) async throws -> Void,
    _ body: (SecureListener, HandshakeFailures) async throws -> Void
) async throws {
    let listener = try await SecureListener.bind(
        host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: .patient)
    let failures = HandshakeFailures()
    let serving = Task {
        try await listener.serve(handshakeFailed: { error, _ in failures.report.yield(error) }, handler)
    }
    defer { listener.close() }
    try await body(listener, failures)
    listener.close()
    try await serving.value
}
