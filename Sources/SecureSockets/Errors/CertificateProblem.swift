package import TLSEngine

/// A problem with a peer's certificate chain.
public struct CertificateProblem: Sendable, Hashable {
    /// The kind of the problem. New kinds may be added in any version.
    public struct Kind: Sendable, Hashable, CustomStringConvertible {
        private let name: String

        private init(_ name: String) { self.name = name }

        /// The name of the constant, for example `expired`.
        public var description: String { self.name }

        public static let expired = Kind("expired")
        public static let notYetValid = Kind("notYetValid")
        /// The peer's certificate is signed with its own key and is not trusted.
        public static let selfSigned = Kind("selfSigned")
        /// The chain ends in a root that is not trusted.
        public static let untrustedRoot = Kind("untrustedRoot")
        /// The certificate that issued the last one is neither in the chain nor trusted, or has the issuer's name but another key.
        public static let issuerUnknown = Kind("issuerUnknown")
        /// A certificate in the chain issued another one but is not an authority.
        public static let notAuthority = Kind("notAuthority")
        /// An authority has more authorities below it than its certificate permits.
        public static let pathLengthExceeded = Kind("pathLengthExceeded")
        /// The chain is good, but longer than the depth permits.
        public static let chainTooLong = Kind("chainTooLong")
        /// The certificate is for another name.
        public static let wrongName = Kind("wrongName")
        /// The certificate is for another address.
        public static let wrongAddress = Kind("wrongAddress")
        /// A name in the certificate is not one that an authority above it may certify (name constraints, RFC 5280 §4.2.1.10).
        public static let nameConstraint = Kind("nameConstraint")
        /// The certificate is not for this use: a server sent a client's certificate or vice versa, or its key may not sign.
        public static let wrongPurpose = Kind("wrongPurpose")
        /// The certificate is on a revocation list of its issuer, or a stapled OCSP response says that it is revoked.
        public static let revoked = Kind("revoked")
        /// No valid revocation list covers the certificate, although revocation is checked.
        public static let revocationUnknown = Kind("revocationUnknown")
        /// The OCSP response that the server has stapled is malformed, outdated, not signed for the issuer, or does not know the certificate.
        public static let badStatusResponse = Kind("badStatusResponse")
        /// The certificate requires a stapled OCSP response (RFC 7633), and the server has sent none.
        public static let statusResponseMissing = Kind("statusResponseMissing")
        /// A certificate in the chain was signed by a key other than its issuer's.
        public static let badSignature = Kind("badSignature")
        /// A certificate below the root is signed with a broken hash function, such as SHA-1.
        public static let weakSignature = Kind("weakSignature")
        /// The key of a certificate is too short.
        public static let weakKey = Kind("weakKey")
        /// A certificate is signed with an algorithm that is not supported.
        public static let unsupportedAlgorithm = Kind("unsupportedAlgorithm")
        /// A certificate has a critical extension that is not supported.
        public static let unknownExtension = Kind("unknownExtension")
        /// A certificate or its extensions cannot be parsed.
        public static let malformed = Kind("malformed")
        public static let other = Kind("other")
    }

    package let refusal: CertificateRefusal

    package init(_ refusal: CertificateRefusal) { self.refusal = refusal }

    /// BoringSSL's code, `X509_V_ERR_*`.
    public var code: Int32 { self.refusal.code }
    /// The depth of the certificate at fault in the chain: 0 is the peer's own certificate, 1 its issuer, and so on.
    public var depth: Int { self.refusal.depth }
    /// The certificate at fault, if there is one.
    public var certificate: TLSCertificate? { self.refusal.certificate.map(TLSCertificate.init) }
    /// The expected name or address, if the problem is that the certificate is for another.
    public var expectedName: String? { self.refusal.expectedName }

    /// Whether the chain could not be judged for lack of memory.
    package var isLackOfMemory: Bool { self.code == CertificateRefusal.outOfMemory }

    public var kind: Kind {
        switch self.refusal.detail {
        case .notAuthority: return .notAuthority
        case .weak(.rsaKey): return .weakKey
        case .weak(.signature): return .weakSignature
        case .unsupportedSignature: return .unsupportedAlgorithm
        case .lacksDigitalSignature, .forServersOnly: return .wrongPurpose
        case .duplicateExtension, .issuerUnreadable: return .malformed
        case .tooMuchWork: return .other
        case .revoked: return .revoked
        case .revocationUnknown: return .revocationUnknown
        case .badStatusResponse: return .badStatusResponse
        case .statusResponseMissing: return .statusResponseMissing
        case .issuerHasOtherKey, nil: break
        }
        switch self.code {
        case CertificateRefusal.expired: return .expired
        case CertificateRefusal.notYetValid, CertificateRefusal.badNotBefore, CertificateRefusal.badNotAfter: return .notYetValid
        case CertificateRefusal.selfSigned: return .selfSigned
        case CertificateRefusal.selfSignedInChain: return .untrustedRoot
        case CertificateRefusal.issuerMissing, CertificateRefusal.issuerMissingLocally, CertificateRefusal.leafUnverifiable:
            return .issuerUnknown
        case CertificateRefusal.invalidCA: return .notAuthority
        case CertificateRefusal.pathLengthExceeded: return .pathLengthExceeded
        case CertificateRefusal.chainTooLong: return .chainTooLong
        case CertificateRefusal.nameMismatch: return .wrongName
        case CertificateRefusal.addressMismatch: return .wrongAddress
        case CertificateRefusal.notPermitted, CertificateRefusal.excluded, CertificateRefusal.unsupportedConstraint,
            CertificateRefusal.unsupportedConstraintSyntax, CertificateRefusal.constraintWithoutAlternativeNames:
            return .nameConstraint
        case CertificateRefusal.wrongPurpose: return .wrongPurpose
        case CertificateRefusal.revoked: return .revoked
        case CertificateRefusal.badSignature: return .badSignature
        case CertificateRefusal.unknownCriticalExtension: return .unknownExtension
        case CertificateRefusal.invalidExtension: return .malformed
        default: return .other
        }
    }
}

extension CertificateProblem: CustomStringConvertible {
    /// A sentence that names the certificate and its problem. Text from the certificate is escaped and, if it is long, truncated;
    /// ``TLSCertificate`` has the original.
    public var description: String {
        "\(self.subjectText) \(self.problemText)"
    }

    private var subjectText: String {
        let place = self.depth == 0 ? "the peer's certificate" : "the certificate at depth \(self.depth) of the chain"
        guard let subject = self.certificate?.subject, !subject.isEmpty else { return place }
        return "\(place) (\(subject.abbreviatedForDisplay))"
    }

    private var problemText: String {
        switch self.kind {
        case .expired:
            "has expired\(self.certificate?.notAfter.map { " (it was valid until \(UTCDate($0)))" } ?? "")"
        case .notYetValid: self.dateText
        case .selfSigned: "is signed with its own key and is not trusted" + self.otherKeyText("; ")
        case .untrustedRoot: "is the root of the chain and is not trusted" + self.otherKeyText("; ")
        case .issuerUnknown where self.refusal.detail == nil:
            "was issued by \(self.issuerText), whose certificate is neither sent nor trusted"
        case .issuerUnknown: "was issued by \(self.issuerText); " + self.otherKeyText("")
        case .notAuthority:
            "is not an authority, but issued the certificate below it (its basic constraints or its key usage do not allow that)"
        case .pathLengthExceeded: "has more authorities below it than its path length constraint allows"
        case .chainTooLong:
            "ends a chain that is too long: it stands at depth \(self.depth), and \(self.refusal.depthLimit ?? 0) is the highest allowed"
        case .wrongName: "is not for \(self.expectedText) but for \(self.ownNames)"
        case .wrongAddress where self.hasAddressAsName:
            "has \(self.expectedText) as a DNS name, not as an address"
        case .wrongAddress: "is not for \(self.expectedText) but for \(self.ownNames)"
        case .nameConstraint: self.constraintText
        case .wrongPurpose where self.refusal.detail == .lacksDigitalSignature:
            "is not for this use: its key usage lacks digitalSignature"
        case .wrongPurpose: "is not for this use (its extended key usage does not allow it)"
        case .revoked: "has been revoked" + self.revocationText
        case .revocationUnknown: "cannot be checked for revocation: \(self.gapText)"
        case .badStatusResponse: "is stapled with an OCSP response that \(self.statusMessage?.text ?? "cannot be used")"
        case .statusResponseMissing: "requires a stapled OCSP response, \(self.missingStatusText)"
        case .badSignature: "has a signature that is not its issuer's"
        case .weakSignature, .weakKey: self.weaknessText
        case .unsupportedAlgorithm: self.algorithmText
        case .unknownExtension: "has a critical extension that is not supported"
        case .malformed: self.malformedText
        case .other where self.refusal.detail == .tooMuchWork:
            "is part of a chain that takes too much work to verify: it has too many certificates of one name, too many names, or too large keys"
        default: "was refused: \(self.refusal.text)"
        }
    }

    private var dateText: String {
        if self.code != CertificateRefusal.notYetValid { return "has a date that cannot be read" }
        return "is not valid yet\(self.certificate?.notBefore.map { " (it will be valid from \(UTCDate($0)))" } ?? "")"
    }

    private func otherKeyText(_ separator: String) -> String {
        guard case .issuerHasOtherKey(let isTrusted) = self.refusal.detail else { return "" }
        return separator
            + (isTrusted
                ? "a trusted certificate has this name, but another key"
                : "the certificate that was sent under this name has another key")
    }

    private var constraintText: String {
        switch self.code {
        case CertificateRefusal.unsupportedConstraint, CertificateRefusal.unsupportedConstraintSyntax:
            "has a name that the name constraints of an authority above it limit in a way that is not supported"
        case CertificateRefusal.constraintWithoutAlternativeNames:
            "has no alternative names, and an authority above it has name constraints"
        default: "is for \(self.ownNames), which the name constraints of an authority above it do not permit"
        }
    }

    private var weaknessText: String {
        switch self.refusal.detail {
        case .weak(.rsaKey(let bits)): "has an RSA key of \(bits) bits; at least 2048 are required"
        case .weak(.signature(let hash)): "is signed with \(hash), for which forgeries can be made"
        default: "is too weak"
        }
    }

    private var algorithmText: String {
        guard case .unsupportedSignature(let algorithm) = self.refusal.detail else {
            return "is signed with an algorithm that is not supported"
        }
        return "is signed with \(algorithm.description.escapedForDisplay), which is not supported"
    }

    private var malformedText: String {
        switch self.refusal.detail {
        case .duplicateExtension(let identifier): "has the extension \(identifier.description.escapedForDisplay) twice"
        case .issuerUnreadable: "was issued by \(self.issuerText), whose certificate was sent and cannot be read"
        default: "has extensions that cannot be read"
        }
    }

    private var revocationText: String {
        guard case .revoked(let revocation) = self.refusal.detail else { return "" }
        let serialNumber = self.certificate.map { "serial number \(Self.text(ofSerialNumber: $0.serialNumber))" }
        let time = revocation.time.map { "on \(UTCDate($0))" }
        let reason = revocation.reason.map { "reason: \(Self.name(ofReason: $0))" }
        return " (\([serialNumber, time, reason].compactMap(\.self).joined(separator: ", ")))"
    }

    /// The digits as `openssl x509 -serial` prints them. RFC 5280 §4.1.2.2 permits 20 bytes.
    private static func text(ofSerialNumber bytes: [UInt8]) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let text = bytes.prefix(32).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self) + (bytes.count > 32 ? "…" : "")
    }

    /// The name of a reason code in RFC 5280 §5.3.1, with the code.
    private static func name(ofReason code: Int) -> String {
        let names = [
            0: "unspecified", 1: "keyCompromise", 2: "cACompromise", 3: "affiliationChanged", 4: "superseded",
            5: "cessationOfOperation", 6: "certificateHold", 9: "privilegeWithdrawn", 10: "aACompromise",
        ]
        return names[code].map { "\($0) (\(code))" } ?? "\(code)"
    }

    private var gap: RevocationGap? {
        if case .revocationUnknown(let gap) = self.refusal.detail { gap } else { nil }
    }

    private var gapText: String {
        let list = "the revocation list of its issuer (\(self.issuerText))"
        return switch self.gap {
        case .noList, nil: "there is no revocation list of its issuer (\(self.issuerText))"
        case .otherScope: "the revocation lists of its issuer (\(self.issuerText)) are for other certificates"
        case .otherKey: "\(list) is signed with another key than the certificate"
        case .weakSignature: "\(list) is signed with SHA-1, for which forgeries can be made"
        case .notYetValid(let time): "\(list) is from the future (\(UTCDate(time)))"
        case .issuerMayNotSign: "the key usage of its issuer (\(self.issuerText)) lacks cRLSign"
        case .outdated(let time): "\(list) is outdated (the next one was due on \(UTCDate(time)))"
        }
    }

    private var gapAdvice: String {
        switch self.gap {
        case .noList, .otherScope, nil:
            "Load that authority's list for this certificate into RevocationLists, or accept certificates without one with missing: .accept"
        case .otherKey: "Load the list of the authority that issued the certificate; another one may have the same name"
        case .weakSignature:
            "Have the authority sign its lists with SHA-256; for authorities that cannot, allow LegacyCertificates.sha1Signatures"
        case .notYetValid: "Check the clocks of this machine and of the one that issued the list"
        case .issuerMayNotSign: "Have the authority's certificate issued with cRLSign in its key usage"
        case .outdated: "Load the authority's current list; if it is the current one, check this machine's clock"
        }
    }

    private var statusMessage: OCSPResponseMessage? {
        if case .badStatusResponse(let fault) = self.refusal.detail { OCSPResponseMessage(fault) } else { nil }
    }

    private var missingStatusText: String {
        guard case .statusResponseMissing(let error?) = self.refusal.detail else { return "and the server has sent none" }
        return "and the server has sent its responder's error \(OCSPResponseMessage.name(ofStatus: error))"
    }

    private var expectedText: String { self.expectedName?.abbreviatedForDisplay ?? "the name asked for" }

    private var ownNames: String {
        guard let names = self.certificate?.decoded.hostNames, !names.isEmpty else {
            return "no name at all (it has no alternative names)"
        }
        return names.listedForDisplay
    }

    private var issuerText: String {
        guard let issuer = self.certificate?.issuer, !issuer.isEmpty else { return "an authority without a name" }
        return issuer.abbreviatedForDisplay
    }

    /// Whether the certificate has the expected address as a DNS name, which never matches (RFC 9110 §4.3.5).
    package var hasAddressAsName: Bool { self.certificate?.decoded.hostNames.contains(self.expectedName ?? "") ?? false }

    var advice: String {
        switch self.kind {
        case .expired: "The peer has to renew it; if it looks valid, check this machine's clock"
        case .notYetValid where self.code != CertificateRefusal.notYetValid:
            "Have it issued again, with dates as RFC 5280 has them"
        case .notYetValid: "Check the clocks of this machine and of the one that issued it"
        case .selfSigned where self.refusal.detail == .issuerHasOtherKey(isTrusted: true),
            .untrustedRoot where self.refusal.detail == .issuerHasOtherKey(isTrusted: true),
            .issuerUnknown where self.refusal.detail == .issuerHasOtherKey(isTrusted: true):
            "The authority was probably made anew: trust its present certificate"
        case .selfSigned: "Trust this certificate, or have the peer use one of an authority that is trusted here"
        case .issuerUnknown where self.refusal.detail == .issuerHasOtherKey(isTrusted: false):
            "Have the peer send the certificate of the authority that issued its own"
        case .untrustedRoot, .issuerUnknown:
            "If you trust the authority that issued it, say so with TLSTrust; the peer has to send its whole chain"
        case .notAuthority: "Have the certificate issued by an authority"
        case .pathLengthExceeded: "Have the authority issue it directly, or raise its path length constraint"
        case .chainTooLong: "Allow a greater depth, or have the peer use a shorter chain"
        case .wrongAddress where self.hasAddressAsName:
            "Have it issued with the address as an IP address (subjectAltName=IP:\(self.expectedText))"
        case .wrongName, .wrongAddress: "Connect by a name that the certificate is for, or have it issued for this one"
        case .nameConstraint: "Have it issued for a name that its authorities may certify"
        case .wrongPurpose where self.refusal.detail == .lacksDigitalSignature: "Have it issued with keyUsage=digitalSignature"
        case .wrongPurpose where self.refusal.detail == .forServersOnly:
            "Have it issued for client authentication, or admit certificates of servers with "
                + "ClientAuthentication.acceptingServerCertificates"
        case .wrongPurpose: "Have it issued for the use it is put to: server or client authentication"
        case .revoked: "Have the peer obtain a new certificate, with a new key"
        case .revocationUnknown: self.gapAdvice
        case .badStatusResponse:
            self.statusMessage.map { "The server's operator has to correct this. \($0.advice)" } ?? "Have the server renew it"
        case .statusResponseMissing: "Have the server staple a current response, or use a certificate without the TLS feature"
        case .weakSignature:
            "Have it issued again with SHA-256; for peers that cannot, allow LegacyCertificates.sha1Signatures"
        case .weakKey:
            "Have the peer use a larger key, or ECDSA; for peers that cannot, allow LegacyCertificates.rsaKeysUnder2048Bits"
        case .unsupportedAlgorithm: "Have it issued with RSA, ECDSA or Ed25519, and SHA-256 or longer"
        case .malformed, .unknownExtension: "Have it issued again, as RFC 5280 has it"
        default: "Have the peer use another certificate"
        }
    }
}

/// A date and time in the format of ISO 8601, without Foundation.
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

    /// Converts days since 1970-01-01 to the Gregorian calendar, counting in eras of 400 years that begin in March.
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
