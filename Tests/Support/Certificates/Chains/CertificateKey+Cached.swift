package import DevelopmentCertificates
import Synchronization

extension CertificateKey {
    /// An RSA key of this process: the same for the same number, because RSA keys take long to generate.
    package static func rsa(bits: Int, number: Int) throws -> CertificateKey {
        try rsaKeys.withLock { keys in
            if let key = keys[[bits, number]] { return key }
            let key = try CertificateKey(.rsa(bits: bits))
            keys[[bits, number]] = key
            return key
        }
    }
}

private let rsaKeys = Mutex<[[Int]: CertificateKey]>([:])
