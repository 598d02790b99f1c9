import DevelopmentCertificates
import Foundation
import SecureSockets
import TestSupport
import Testing

/// A chain that must be refused, and how the refusal reads.
struct VerificationRow: Sendable, CustomTestStringConvertible {
    /// What the peer shows, and the settings of the end that verifies it.
    struct Shown {
        var identity: TLSIdentity
        var trust: TLSTrust
        var depth = 10
    }

    let testDescription: String
    let kind: CertificateProblem.Kind
    /// `X509_V_ERR_*`.
    let code: Int32
    let depth: Int
    let subject: String
    var expectedName: String?
    /// The alert that the refused end receives (RFC 8446 §6.2).
    let alert: String
    /// The whole message after the peer's address.
    let text: String
    var serverName: String?
    let show: @Sendable (CertifiedKey.Purpose) throws -> Shown

    func expect(
        _ error: SecureSocketError, from step: SecureSocketError.Step, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(error.code == .certificateVerificationFailed, sourceLocation: sourceLocation)
        #expect(error.blame == .peer, sourceLocation: sourceLocation)
        #expect(error.step == step, sourceLocation: sourceLocation)
        #expect(error.alert == nil, sourceLocation: sourceLocation)
        let problem = error.certificateProblem
        #expect(problem?.kind == self.kind, sourceLocation: sourceLocation)
        #expect(problem?.code == self.code, sourceLocation: sourceLocation)
        #expect(problem?.depth == self.depth, sourceLocation: sourceLocation)
        #expect(problem?.certificate?.subject == self.subject, sourceLocation: sourceLocation)
        #expect(problem?.expectedName == self.expectedName, sourceLocation: sourceLocation)
        let (peer, text) = error.description.splitAfterPeer
        #expect(peer.hasPrefix("127.0.0.1:"), sourceLocation: sourceLocation)
        #expect(text == self.text, sourceLocation: sourceLocation)
    }
}

// MARK: Chains that are wrong for servers and for clients

extension VerificationRow {
    static let chains: [VerificationRow] = [
        VerificationRow(
            testDescription: "expired certificate",
            kind: .expired, code: 10, depth: 0, subject: "CN=leaf",
            alert: "certificate_expired",
            text: """
                the peer's certificate (CN=leaf) has expired (it was valid until 2020-02-01 00:00:00 UTC). \
                The peer has to renew it; if it looks valid, check this machine's clock
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            return Shown(identity: try root.leaf(purpose, validity: .january2020), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "expired intermediate",
            kind: .expired, code: 10, depth: 1, subject: "CN=intermediate",
            alert: "certificate_expired",
            text: """
                the certificate at depth 1 of the chain (CN=intermediate) has expired \
                (it was valid until 2020-02-01 00:00:00 UTC). \
                The peer has to renew it; if it looks valid, check this machine's clock
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            let intermediate = try root.intermediate(commonName: "intermediate", validity: .january2020)
            return Shown(identity: try intermediate.leaf(purpose), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "certificate of the future",
            kind: .notYetValid, code: 9, depth: 0, subject: "CN=leaf",
            alert: "certificate_expired",
            text: """
                the peer's certificate (CN=leaf) is not valid yet (it will be valid from 2400-02-29 12:34:56 UTC). \
                Check the clocks of this machine and of the one that issued it
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            return Shown(identity: try root.leaf(purpose, validity: .farFuture), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "self-signed certificate",
            kind: .selfSigned, code: 18, depth: 0, subject: "CN=leaf",
            alert: "unknown_ca",
            text: """
                the peer's certificate (CN=leaf) is signed with its own key and is not trusted. \
                Trust this certificate, or have the peer use one of an authority that is trusted here
                """
        ) { _ in
            let leaf = try CertifiedKey.selfSigned(commonName: "leaf")
            return Shown(identity: try TLSIdentity(leaf), trust: try CertificateAuthority.root().trust)
        },
        VerificationRow(
            testDescription: "self-signed certificate that has expired: trust comes before dates",
            kind: .selfSigned, code: 18, depth: 0, subject: "CN=leaf",
            alert: "unknown_ca",
            text: """
                the peer's certificate (CN=leaf) is signed with its own key and is not trusted. \
                Trust this certificate, or have the peer use one of an authority that is trusted here
                """
        ) { _ in
            let leaf = try CertifiedKey.selfSigned(commonName: "leaf", validity: .expired)
            return Shown(identity: try TLSIdentity(leaf), trust: try CertificateAuthority.root().trust)
        },
        VerificationRow(
            testDescription: "certificate of an unknown authority",
            kind: .issuerUnknown, code: 20, depth: 0, subject: "CN=leaf",
            alert: "unknown_ca",
            text: """
                the peer's certificate (CN=leaf) was issued by CN=foreign root, whose certificate is neither sent nor trusted. \
                If you trust the authority that issued it, say so with TLSTrust; the peer has to send its whole chain
                """
        ) { purpose in
            let foreign = try CertificateAuthority.root(commonName: "foreign root")
            return Shown(identity: try foreign.leaf(purpose), trust: try CertificateAuthority.root().trust)
        },
        VerificationRow(
            testDescription: "certificate of an unknown authority that is sent along",
            kind: .untrustedRoot, code: 19, depth: 1, subject: "CN=foreign root",
            alert: "unknown_ca",
            text: """
                the certificate at depth 1 of the chain (CN=foreign root) is the root of the chain and is not trusted. \
                If you trust the authority that issued it, say so with TLSTrust; the peer has to send its whole chain
                """
        ) { purpose in
            let foreign = try CertificateAuthority.root(commonName: "foreign root")
            let leaf = try foreign.issue(commonName: "leaf", names: ["127.0.0.1"], purposes: [purpose])
            let identity = try TLSIdentity(
                certificateChain: .text(leaf.certificateChainPEM + foreign.certificatePEM),
                privateKey: .text(leaf.privateKeyPEM))
            return Shown(identity: identity, trust: try CertificateAuthority.root().trust)
        },
        VerificationRow(
            testDescription: "chain without its intermediate",
            kind: .issuerUnknown, code: 20, depth: 0, subject: "CN=leaf",
            alert: "unknown_ca",
            text: """
                the peer's certificate (CN=leaf) was issued by CN=intermediate, whose certificate is neither sent nor trusted. \
                If you trust the authority that issued it, say so with TLSTrust; the peer has to send its whole chain
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            let leaf = try root.intermediate(commonName: "intermediate")
                .issue(commonName: "leaf", names: ["127.0.0.1"], purposes: [purpose])
            let identity = try TLSIdentity(
                certificateChain: .text(leaf.certificatePEM), privateKey: .text(leaf.privateKeyPEM))
            return Shown(identity: identity, trust: try root.trust)
        },
        VerificationRow(
            testDescription: "chain that is too long",
            kind: .chainTooLong, code: 22, depth: 3, subject: "CN=Development authority",
            alert: "unknown_ca",
            text: """
                the certificate at depth 3 of the chain (CN=Development authority) ends a chain that is too long: \
                it stands at depth 3, and 2 is the highest allowed. \
                Allow a greater depth, or have the peer use a shorter chain
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            let leaf = try root.intermediate().intermediate().leaf(purpose)
            return Shown(identity: leaf, trust: try root.trust, depth: 2)
        },
        VerificationRow(
            testDescription: "intermediate below an authority that allows none",
            kind: .pathLengthExceeded, code: 25, depth: 2, subject: "CN=upper",
            alert: "unknown_ca",
            text: """
                the certificate at depth 2 of the chain (CN=upper) has more authorities below it than its path length constraint \
                allows. Have the authority issue it directly, or raise its path length constraint
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            let lower = try root.intermediate(commonName: "upper", pathLength: 0).intermediate(commonName: "lower")
            return Shown(identity: try lower.leaf(purpose), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "certificate that was issued by a certificate that is no authority's",
            kind: .notAuthority, code: 24, depth: 1, subject: "CN=no authority",
            alert: "unknown_ca",
            text: """
                the certificate at depth 1 of the chain (CN=no authority) is not an authority, but issued the certificate below it \
                (its basic constraints or its key usage do not allow that). Have the certificate issued by an authority
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            return Shown(identity: try OddCertificate.belowALeaf(of: root, purpose: purpose), trust: try root.trust)
        },
        VerificationRow(
            testDescription: "certificate with a forged signature",
            kind: .badSignature, code: 7, depth: 0, subject: "CN=forged",
            alert: "decrypt_error",
            text: """
                the peer's certificate (CN=forged) has a signature that is not its issuer's. \
                Have the peer use another certificate
                """
        ) { purpose in
            let root = try CertificateAuthority.root()
            return Shown(identity: try OddCertificate.forged(of: root, purpose: purpose), trust: try root.trust)
        },
    ]
}

// MARK: Purposes; `ClientPurposeTests` has those of clients

extension VerificationRow {
    static let purposes: [VerificationRow] = [
        VerificationRow(
            testDescription: "certificate of a client",
            kind: .wrongPurpose, code: 26, depth: 0, subject: "CN=leaf",
            alert: "unsupported_certificate",
            text: """
                the peer's certificate (CN=leaf) is not for this use (its extended key usage does not allow it). \
                Have it issued for the use it is put to: server or client authentication
                """
        ) { _ in
            let root = try CertificateAuthority.root()
            return Shown(identity: try root.leaf(.client), trust: try root.trust)
        }
    ]
}

// MARK: Names, which only clients compare

extension VerificationRow {
    static let names: [VerificationRow] = [
        Self.name("certificate for another host", of: ["www.example.org", "example.org"], asked: "www.example.com"),
        Self.name("wildcard for the domain itself", of: ["*.example.org"], asked: "example.org"),
        Self.name("wildcard for two labels", of: ["*.example.org"], asked: "a.b.example.org"),
        Self.name("address for a host name", of: ["127.0.0.1"], asked: "localhost"),
        Self.name("common name only", of: [], asked: "leaf"),
        Self.name("certificate for another address", of: ["192.0.2.1", "::1"], asked: nil),
        Self.name("host name for an address", of: ["localhost"], asked: nil),
        Self.name("certificate for another IPv6 address", of: ["2001:db8::2"], asked: "2001:db8::1"),
    ]

    /// - Parameter host: The name to check in place of 127.0.0.1, which is connected to.
    private static func name(_ description: String, of names: [String], asked host: String?) -> VerificationRow {
        let expected = host ?? "127.0.0.1"
        let isAddress = host == nil || expected.contains(":")
        let own = names.isEmpty ? "no name at all (it has no alternative names)" : names.joined(separator: ", ")
        return VerificationRow(
            testDescription: description,
            kind: isAddress ? .wrongAddress : .wrongName, code: isAddress ? 64 : 62, depth: 0, subject: "CN=leaf",
            expectedName: expected, alert: "bad_certificate",
            text: """
                the peer's certificate (CN=leaf) is not for \(expected) but for \(own). \
                Connect by a name that the certificate is for, or have it issued for this one
                """,
            serverName: host
        ) { _ in
            let root = try CertificateAuthority.root()
            return Shown(identity: try TLSIdentity(root.issue(commonName: "leaf", names: names)), trust: try root.trust)
        }
    }
}

extension CertificateAuthority {
    fileprivate func leaf(_ purpose: CertifiedKey.Purpose, validity: Validity = .leaf) throws -> TLSIdentity {
        try TLSIdentity(
            self.issue(commonName: "leaf", names: ["127.0.0.1"], purposes: [purpose], validity: validity))
    }
}

extension Validity {
    fileprivate static let january2020 = Validity(
        Date(timeIntervalSince1970: 1_577_836_800)..<Date(timeIntervalSince1970: 1_580_515_200))
    fileprivate static let farFuture = Validity(
        Date(timeIntervalSince1970: 13_574_608_496)..<Date(timeIntervalSince1970: 13_600_000_000))
}

extension String {
    /// `host:port`, and the text after it.
    var splitAfterPeer: (peer: String, text: String) {
        guard let range = self.range(of: ": ") else { return ("", self) }
        return (String(self[..<range.lowerBound]), String(self[range.upperBound...]))
    }
}
