package import SecureSockets
package import SecureSocketsTesting

/// Certificates for tests, made once a process: an authority, and what it issues.
package struct TestCertificates: Sendable {
    package let authority: DevelopmentAuthority
    package let server: DevelopmentIdentity
    package let client: DevelopmentIdentity

    package static let shared: Result<TestCertificates, any Error> = Result { try TestCertificates() }

    package init() throws {
        self.authority = try DevelopmentAuthority(commonName: "Test authority")
        self.server = try self.authority.server()
        self.client = try self.authority.client(commonName: "client")
    }

    package var serverIdentity: TLSIdentity { self.server.identity }
    package var clientIdentity: TLSIdentity { self.client.identity }
    package var trust: TLSTrust { self.authority.trust }

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
