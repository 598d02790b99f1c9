import TestSupport

/// What a peer sends, and what is trusted.
struct Chain: Sendable {
    /// The peer's certificates in the order of its message: its own first.
    let sent: [String]
    /// The trust file, in its order.
    let trusted: [String]
    /// The key of the peer's own certificate.
    let key: String

    init(sent: [IssuedCertificate], trusted: [IssuedCertificate]) throws {
        guard let leaf = sent.first else { throw NothingIsSent() }
        self.init(sent: sent.map(\.pem), trusted: trusted.map(\.pem), key: leaf.key.pem)
    }

    init(sent: [String], trusted: [String], key: String) {
        self.sent = sent
        self.trusted = trusted
        self.key = key
    }

    private struct NothingIsSent: Error {}
}
