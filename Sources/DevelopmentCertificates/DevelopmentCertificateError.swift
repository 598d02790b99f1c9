/// The reason for which certificates could not be created or written, with advice.
package enum DevelopmentCertificateError: Error, Hashable, Sendable {
    /// A name that no peer could ever match.
    case invalidName(String, reason: String)
    /// A text that cannot be the URI of a certificate.
    case invalidURI(String, reason: String)
    /// A text that cannot be the e-mail address of a certificate.
    case invalidEmailAddress(String, reason: String)
    /// A common name that is too long for X.509.
    case invalidCommonName(String)
    /// The random generator or the key algorithm failed.
    case cannotGenerateKey(KeyKind, reason: String)
    /// The certificate could not be encoded or signed.
    case cannotSign(commonName: String, reason: String)
    /// The certificate revocation list could not be encoded or signed.
    case cannotSignRevocationList(authority: String, reason: String)
    /// The injected encryption of private keys failed.
    case cannotEncryptKey(path: String, reason: String)
    /// A file exists at the path of a new one, and replacing was not requested. Nothing was written.
    case fileExists(path: String)
    /// The directory could not be created, or the path is not a directory.
    case cannotUseDirectory(path: String, reason: String)
    /// A file could not be written.
    case cannotWrite(path: String, reason: String)
}

extension DevelopmentCertificateError {
    /// What happened.
    package var message: String { self.text.message }
    /// What to do.
    package var advice: String { self.text.advice }

    private var text: (message: String, advice: String) {
        switch self {
        case .invalidName(let name, let reason):
            ("'\(name)' is not a name for a certificate: \(reason)", "Give a host name or an IP address")
        case .invalidURI(let text, let reason):
            ("'\(text)' is not a URI for a certificate: \(reason)", "Give an absolute URI; other characters are percent-encoded")
        case .invalidEmailAddress(let text, let reason):
            ("'\(text)' is not an e-mail address for a certificate: \(reason)", "Give an address in ASCII")
        case .invalidCommonName(let name):
            ("'\(name)' is not a common name: it must have 1 to 64 characters", "Shorten it; host names go into the names")
        case .cannotGenerateKey(let kind, let reason):
            ("no \(kind.rawValue) key could be generated (\(reason))", "Try another kind of key")
        case .cannotSign(let commonName, let reason):
            ("the certificate for '\(commonName)' could not be made: \(reason)", "Check its names and dates")
        case .cannotSignRevocationList(let authority, let reason):
            ("the certificate revocation list of '\(authority)' could not be made: \(reason)", "Check its dates")
        case .cannotEncryptKey(let path, let reason):
            ("the key for \(path) could not be encrypted: \(reason)", "Nothing was written; try another password")
        case .fileExists(let path):
            ("\(path) exists already, so nothing was written", "Pass --force to replace it, or choose another directory")
        case .cannotUseDirectory(let path, let reason):
            ("\(path) cannot be used as a directory: \(reason)", "Choose a directory you may write to")
        case .cannotWrite(let path, let reason):
            ("\(path) could not be written: \(reason)", "Check permissions and free space, or choose another directory")
        }
    }
}

extension DevelopmentCertificateError: CustomStringConvertible {
    /// One sentence on what happened, one on what to do.
    package var description: String { "\(self.message). \(self.advice)." }
}
