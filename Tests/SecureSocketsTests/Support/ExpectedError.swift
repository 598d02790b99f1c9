import SecureSockets
import Testing

/// Expects `body` to throw a socket's error with this code.
func expectError(
    _ code: SecureSocketError.Code, containing text: String? = nil, sourceLocation: SourceLocation = #_sourceLocation,
    from body: () async throws -> Void
) async {
    do {
        try await body()
        Issue.record("no error; \(code) was expected", sourceLocation: sourceLocation)
    } catch {
        #expect((error as? SecureSocketError)?.code == code, sourceLocation: sourceLocation)
        if let text { #expect("\(error)".contains(text), sourceLocation: sourceLocation) }
    }
}
