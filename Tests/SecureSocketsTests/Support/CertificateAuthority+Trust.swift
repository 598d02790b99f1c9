import DevelopmentCertificates
import SecureSockets

extension CertificateAuthority {
    /// Trust in this authority alone.
    var trust: TLSTrust { get throws { try .only(.text(self.certificatePEM)) } }
}
