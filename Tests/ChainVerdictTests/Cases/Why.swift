/// The reason for a verdict that differs from that of most peers.
struct Why: Sendable {
    let text: String

    private init(_ text: String) { self.text = text }

    static let validPath = Self("One of the paths is valid, and all candidates are tried.")
    static let partialChain = Self("A chain ends in a self-signed certificate unless partial chains are allowed.")
    static let addedTrust = Self("The chain is valid with the root alone; another trusted certificate must not break it.")
    static let weakKey = Self("RSA keys under 2048 bits are too weak below the trust anchor.")
    static let anchorKey = Self("The trust anchor itself is trusted by choice, so its key is not judged.")
    static let ownKey = Self("The peer's own key signs the handshake, wherever its certificate stands.")
    static let wildcardExclusion = Self("The wildcard would evade the exclusion (as in CVE-2025-61727 of Go).")
    static let commonName = Self("The common name does not name a host (RFC 9525 §2).")
    static let contiguousMask = Self("A mask with a gap is no CIDR range (RFC 5280 §4.2.1.10).")
    static let directoryName = Self("The subject is allowed; two peers do not support constraints on directory names.")
    static let absentName = Self("A constraint concerns names of its own kind only (RFC 5280 §4.2.1.10).")
    static let anyPurpose = Self("Where a purpose is required, anyExtendedKeyUsage may be refused (RFC 5280 §4.2.1.12).")
    static let anchorPurpose = Self("The extended key usage of a trust anchor is not part of path validation (RFC 5280 §6.1).")
    static let signingKey = Self("The key signs the handshake, so digitalSignature is required (RFC 8446 §4.4.2.2).")
    static let trustedIssuer = Self(
        "A trusted certificate issues others only if it says that it is an authority (RFC 5280 §4.2.1.9).")
    static let selfIssued = Self("Self-issued certificates are not counted (RFC 5280 §4.2.1.9).")
    static let duplicate = Self("An extension must not appear twice (RFC 5280 §4.2).")
    static let trailingDot = Self("The name is the same without the dot of the DNS root, which certificates leave out.")
    static let dateFormat = Self("RFC 5280 §4.1.2.5.1 requires the seconds; BoringSSL does not decode the certificate.")
}
