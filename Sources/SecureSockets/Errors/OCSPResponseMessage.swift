import TLSEngine

/// The text for an OCSP response that does not show that a certificate is good: its fault, and what to do next.
struct OCSPResponseMessage {
    /// A predicate whose subject is the response.
    let text: String
    /// The remedy, for the side that has the response.
    let advice: String

    init(_ fault: OCSPResponseFault) {
        (self.text, self.advice) =
            switch fault {
            case .tooLong(let limit): ("is longer than \(limit >> 10) KiB", Self.obtainAgain)
            case .malformed: ("cannot be decoded", "Obtain it again, in DER")
            case .unsuccessful(let status):
                ("is the responder's error \(Self.name(ofStatus: status)), not a status", "Obtain it again, later")
            case .otherType(let type): ("is of the unknown type \(type.description.escapedForDisplay)", Self.obtainAgain)
            case .criticalExtension(let identifier):
                (
                    "has the critical extension \(identifier.description.escapedForDisplay), which is not supported",
                    "Use another responder"
                )
            case .responderUnknown:
                ("is not signed by the certificate's issuer, nor by a responder that it has certified", Self.useIssuersResponder)
            case .responderNotAuthorized:
                (
                    "is signed by a responder whose certificate is not for signing OCSP responses",
                    "Have the responder's certificate issued with OCSPSigning in its extended key usage"
                )
            case .responderMalformed:
                ("is signed by a responder whose certificate has extensions that cannot be used", Self.renewResponder)
            case .responderNotValid:
                ("is signed by a responder whose certificate has expired or is not valid yet", Self.renewResponder)
            case .responderWeak(.rsaKey(let bits)):
                (
                    "is signed by a responder with an RSA key of \(bits) bits; at least 2048 are required",
                    Self.renewResponder
                )
            case .responderWeak(.signature(let hash)):
                ("is signed by a responder whose certificate is signed with \(hash)", Self.renewResponder)
            case .badSignature: ("has a signature that is not its responder's", Self.useIssuersResponder)
            case .weakSignature:
                ("is signed with SHA-1, for which forgeries can be made", "Have the responder sign with SHA-256")
            case .unsupportedSignature(let algorithm):
                (
                    "is signed with \(algorithm.description.escapedForDisplay), which is not supported",
                    "Have the responder sign with RSA, ECDSA or Ed25519, and SHA-256 or longer"
                )
            case .tooMuchWork: ("takes too much work to verify: its keys are too large", Self.renewResponder)
            case .otherCertificate:
                ("is about other certificates, or identifies this one by a hash other than SHA-1 and SHA-256", Self.obtainAgain)
            case .unknownCertificate: ("says that its responder does not know the certificate", Self.useIssuersResponder)
            case .revoked: ("says that the certificate is revoked", "Obtain a new certificate, with a new key")
            case .notYetValid(let time):
                (
                    "is from the future (\(UTCDate(time)))",
                    "Check the clocks of this machine and of the responder"
                )
            case .outdated(let time):
                (
                    "is outdated (the next one was due on \(UTCDate(time)))",
                    "Obtain a new one; if it looks current, check this machine's clock"
                )
            case .noNextUpdate: ("does not say until when it is valid", "Have the responder set nextUpdate")
            }
    }

    private static let obtainAgain = "Obtain a response for this certificate from the responder of its issuer"
    private static let useIssuersResponder = "Use the responder of the authority that issued the certificate"
    private static let renewResponder = "Have the responder use a new certificate"

    /// The name of an error in RFC 6960 §4.2.1, with its number.
    static func name(ofStatus status: Int) -> String {
        let names = [1: "malformedRequest", 2: "internalError", 3: "tryLater", 5: "sigRequired", 6: "unauthorized"]
        return names[status].map { "\($0) (\(status))" } ?? "\(status)"
    }
}
