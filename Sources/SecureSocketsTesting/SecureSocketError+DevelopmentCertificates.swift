import DevelopmentCertificates
import SecureSockets

extension SecureSocketError {
    /// Runs `body` and converts its error to one of the public interface.
    static func converting<Value>(
        _ body: () throws(DevelopmentCertificateError) -> Value
    ) throws(SecureSocketError) -> Value {
        do {
            return try body()
        } catch {
            throw SecureSocketError(error)
        }
    }

    private init(_ error: DevelopmentCertificateError) {
        if case .cannotGenerateKey = error {
            self.init(.system, blame: .system, step: .configuring, error.message, advice: error.advice)
        } else {
            self.init(.invalidArgument, blame: .caller, step: .configuring, error.message, advice: error.advice)
        }
    }
}

extension TLSCertificate {
    init(_ certificate: DevelopmentCertificate) throws(SecureSocketError) {
        try self.init(derBytes: certificate.derBytes)
    }
}
