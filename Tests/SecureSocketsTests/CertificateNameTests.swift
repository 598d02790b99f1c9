import SecureSockets
import TestSupport
import Testing

@Suite struct `A certificate's names` {
    @Test func `are read past those that are no strings`() throws {
        let identity = try OddCertificate.namedInEveryWay()
        #expect(identity.certificates.map(\.names) == [["first.example", "10.0.0.1", "last.example"]])
    }
}
