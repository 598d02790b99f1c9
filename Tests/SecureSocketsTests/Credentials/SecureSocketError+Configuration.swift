import SecureSockets
import Testing

extension SecureSocketError {
    /// Expects the error of a configuration with this code and exactly this description.
    func expectConfiguration(_ code: Code, _ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(self.code == code, sourceLocation: sourceLocation)
        #expect(self.blame == .configuration, sourceLocation: sourceLocation)
        #expect(self.step == .configuring, sourceLocation: sourceLocation)
        #expect(self.description == text, sourceLocation: sourceLocation)
    }
}
