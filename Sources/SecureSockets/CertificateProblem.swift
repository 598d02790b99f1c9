package import TLSEngine

/// A certificate that a peer showed, or one of this side's own.
public struct PeerCertificate: Sendable, Hashable {
    package let certificate: Certificate

    package init(_ certificate: Certificate) { self.certificate = certificate }

    /// The certificate, DER. `X509.Certificate(derEncoded:)` of swift-certificates reads it further.
    public var derBytes: [UInt8] { self.certificate.derBytes }
    /// The subject's distinguished name (RFC 2253), for example `CN=localhost`; may be empty.
    public var subject: String { self.certificate.subject }
    /// The issuer's distinguished name.
    public var issuer: String { self.certificate.issuer }
    /// The DNS names and addresses that the certificate is for (subject alternative names).
    public var names: [String] { self.certificate.names }
    /// The first moment of its validity, in seconds since 1970-01-01 UTC; nil if its date cannot be read.
    public var notBefore: Int64? { self.certificate.notBefore }
    /// The last moment of its validity, in seconds since 1970-01-01 UTC; nil if its date cannot be read.
    public var notAfter: Int64? { self.certificate.notAfter }
}

/// What is wrong with a peer's certificate chain.
public struct CertificateProblem: Sendable, Hashable {
    /// The kind of the problem. New kinds may be added in any version.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case expired
        case notYetValid
        /// The peer's certificate vouches for itself, and is not trusted.
        case selfSigned
        /// The chain ends in a root that is not trusted.
        case untrustedRoot
        /// The certificate that vouches for the last one is neither in the chain nor trusted.
        case issuerUnknown
        /// The chain is good, but longer than the depth allows.
        case chainTooLong
        /// The certificate is for another name.
        case wrongName
        /// The certificate is for another address.
        case wrongAddress
        /// The certificate is not for this use: a client's shown by a server, or the other way round.
        case wrongPurpose
        case revoked
        /// A certificate in the chain was signed by another key than its issuer's.
        case badSignature
        case other
    }

    package let refusal: CertificateRefusal

    package init(_ refusal: CertificateRefusal) { self.refusal = refusal }

    /// BoringSSL's code, `X509_V_ERR_*`.
    public var code: Int32 { self.refusal.code }
    /// Where in the chain: 0 is the peer's own certificate, 1 its issuer, and so on.
    public var position: Int { self.refusal.position }
    /// The certificate at fault, where there is one.
    public var certificate: PeerCertificate? { self.refusal.certificate.map(PeerCertificate.init) }
    /// The name or address that was asked for, if the problem is that the certificate is for another.
    public var expectedName: String? { self.refusal.expectedName }

    public var kind: Kind {
        switch self.code {
        case CertificateRefusal.expired: .expired
        case CertificateRefusal.notYetValid, CertificateRefusal.badNotBefore, CertificateRefusal.badNotAfter: .notYetValid
        case CertificateRefusal.selfSigned: .selfSigned
        case CertificateRefusal.selfSignedInChain: .untrustedRoot
        case CertificateRefusal.issuerMissing, CertificateRefusal.issuerMissingLocally,
            CertificateRefusal.leafUnverifiable:
            .issuerUnknown
        case CertificateRefusal.chainTooLong: .chainTooLong
        case CertificateRefusal.nameMismatch: .wrongName
        case CertificateRefusal.addressMismatch: .wrongAddress
        case CertificateRefusal.wrongPurpose: .wrongPurpose
        case CertificateRefusal.revoked: .revoked
        case CertificateRefusal.badSignature: .badSignature
        default: .other
        }
    }

    /// The classic reason (specification §6.2).
    var classicReason: String {
        switch self.kind {
        case .issuerUnknown: "enoissuercert"
        case .expired: "epeercertexpired"
        case .notYetValid: "epeercertinvalid"
        case .selfSigned, .untrustedRoot: "eselfsignedcert"
        case .chainTooLong: "echaintoolong"
        default: self.code == CertificateRefusal.outOfMemory ? "enomem" : "epeercert"
        }
    }
}

extension CertificateProblem: CustomStringConvertible {
    /// A sentence that names the certificate and what is wrong with it. What comes from the certificate is escaped in it, and cut where
    /// it is long; ``PeerCertificate`` has it as it is.
    public var description: String {
        "\(self.subjectText) \(self.problemText)"
    }

    private var subjectText: String {
        let place = self.position == 0 ? "the peer's certificate" : "the certificate at position \(self.position) of the chain"
        guard let subject = self.certificate?.subject, !subject.isEmpty else { return place }
        return "\(place) (\(subject.abbreviatedForDisplay))"
    }

    private var problemText: String {
        switch self.kind {
        case .expired:
            "has expired\(self.certificate?.notAfter.map { " (it was valid until \(UTCDate($0)))" } ?? "")"
        case .notYetValid:
            "is not valid yet\(self.certificate?.notBefore.map { " (it will be valid from \(UTCDate($0)))" } ?? "")"
        case .selfSigned: "vouches for itself and is not trusted"
        case .untrustedRoot: "is the root of the chain and is not trusted"
        case .issuerUnknown:
            "was issued by \(self.issuerText), whose certificate is neither sent nor trusted"
        case .chainTooLong:
            "ends a chain that is too long: it stands at position \(self.position), and \(self.refusal.depthLimit ?? 0) is the highest allowed"
        case .wrongName, .wrongAddress:
            "is not for \(self.expectedName?.abbreviatedForDisplay ?? "the name asked for") but for \(self.ownNames)"
        case .wrongPurpose: "is not for this use (its extended key usage does not allow it)"
        case .revoked: "has been revoked"
        case .badSignature: "has a signature that is not its issuer's"
        case .other: "was refused: \(self.refusal.text)"
        }
    }

    private var ownNames: String {
        guard let names = self.certificate?.names, !names.isEmpty else { return "no name at all (it has no alternative names)" }
        return names.listedForDisplay
    }

    private var issuerText: String {
        guard let issuer = self.certificate?.issuer, !issuer.isEmpty else { return "an authority without a name" }
        return issuer.abbreviatedForDisplay
    }

    var advice: String {
        switch self.kind {
        case .expired: "The peer has to renew it; if it looks valid, check this machine's clock"
        case .notYetValid: "Check the clocks of this machine and of the one that issued it"
        case .selfSigned: "Trust this certificate, or have the peer use one of an authority that is trusted here"
        case .untrustedRoot, .issuerUnknown:
            "If you trust the authority that issued it, say so with TLSTrust; the peer has to send its whole chain"
        case .chainTooLong: "Allow a greater depth, or have the peer use a shorter chain"
        case .wrongName, .wrongAddress: "Connect by a name that the certificate is for, or have it issued for this one"
        case .wrongPurpose: "Have it issued for the use it is put to: server or client authentication"
        case .revoked, .badSignature, .other: "Have the peer use another certificate"
        }
    }
}

/// A moment as ISO 8601 writes it, without Foundation.
struct UTCDate: CustomStringConvertible {
    private let seconds: Int64

    init(_ seconds: Int64) { self.seconds = seconds }

    var description: String {
        let days = Int((Double(self.seconds) / 86_400).rounded(.down))
        let second = Int(self.seconds) - days * 86_400
        let (year, month, day) = Self.civil(days)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(year)-\(two(month))-\(two(day)) \(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)) UTC"
    }

    /// Days since 1970-01-01 in the Gregorian calendar, counted in eras of 400 years that begin in March.
    private static func civil(_ days: Int) -> (Int, Int, Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
