package import DevelopmentCertificates
package import SecureSockets

extension TLSIdentity {
    package init(_ key: CertifiedKey) throws {
        try self.init(certificateChain: .text(key.certificateChainPEM), privateKey: .text(key.privateKeyPEM))
    }
}
