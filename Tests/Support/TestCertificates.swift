package import DevelopmentCertificates
package import SecureSockets
import TLSEngine

/// Certificates for tests, made once a process: an authority, and what it issues.
package struct TestCertificates: Sendable {
    package let authority: CertificateAuthority
    package let server: CertifiedKey
    package let client: CertifiedKey

    package static let shared: Result<TestCertificates, any Error> = Result { try TestCertificates() }

    package init() throws {
        self.authority = try CertificateAuthority.root(commonName: "Test authority")
        self.server = try self.authority.issue(
            commonName: "server", names: ["localhost", "127.0.0.1", "::1"], purposes: [.server])
        self.client = try self.authority.issue(commonName: "client", purposes: [.client])
    }

    package var serverIdentity: TLSIdentity { get throws { try TLSIdentity(self.server) } }
    package var clientIdentity: TLSIdentity { get throws { try TLSIdentity(self.client) } }
    package var trust: TLSTrust { get throws { try .only(.text(self.authority.certificatePEM)) } }

    package func serverConfiguration(
        parameters: TLSParameters = .init()
    ) throws -> TLSServerConfiguration {
        try TLSServerConfiguration(identity: self.serverIdentity, parameters: parameters)
    }

    package func clientConfiguration(
        parameters: TLSParameters = .init()
    ) throws -> TLSClientConfiguration {
        try TLSClientConfiguration(trust: self.trust, parameters: parameters)
    }
}

extension TLSIdentity {
    package init(_ key: CertifiedKey) throws {
        try self.init(certificateChain: .text(key.certificateChainPEM), privateKey: .text(key.privateKeyPEM))
    }
}
