package import DevelopmentCertificates

/// What a peer sends, and what is trusted.
package struct Chain: Sendable {
    /// The peer's certificates in the order of its message: its own first.
    package let sent: [String]
    /// The trust file, in its order.
    package let trusted: [String]
    /// The key of the peer's own certificate.
    package let key: String

    package init(sent: [IssuedCertificate], trusted: [IssuedCertificate]) throws {
        guard let leaf = sent.first else { throw NothingIsSent() }
        self.init(sent: sent.map(\.pem), trusted: trusted.map(\.pem), key: leaf.key.pem)
    }

    package init(sent: [String], trusted: [String], key: String) {
        self.sent = sent
        self.trusted = trusted
        self.key = key
    }

    private struct NothingIsSent: Error {}
}
