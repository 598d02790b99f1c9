#if NIOSSLSupport
    import NIOCore
    import NIOSSL
    import SecureSocketsTesting
    import TestSupport

    /// Configurations of NIOSSL with the certificates of the tests.
    struct NIOSSLMaterial {
        let certificates: TestCertificates

        init() throws { self.certificates = try TestCertificates.shared.get() }

        var authority: [NIOSSLCertificate] {
            get throws { try NIOSSLCertificate.fromPEMBytes(Array(self.certificates.authority.certificatePEM.utf8)) }
        }

        /// A server with a certificate of the authority, and NIOSSL's defaults.
        var server: TLSConfiguration {
            get throws {
                try .makeServerConfiguration(
                    certificateChain: self.certificates.server.nioSSLChain,
                    privateKey: .privateKey(self.certificates.server.nioSSLKey))
            }
        }

        /// A client that trusts the authority, and NIOSSL's defaults.
        var client: TLSConfiguration {
            get throws {
                var client = TLSConfiguration.makeClientConfiguration()
                client.trustRoots = .certificates(try self.authority)
                return client
            }
        }

        /// The client with a certificate of its own.
        var knownClient: TLSConfiguration {
            get throws {
                var client = try self.client
                client.certificateChain = try self.certificates.client.nioSSLChain
                client.privateKey = .privateKey(try self.certificates.client.nioSSLKey)
                return client
            }
        }
    }

    extension DevelopmentIdentity {
        var nioSSLChain: [NIOSSLCertificateSource] {
            get throws { try NIOSSLCertificate.fromPEMBytes(Array(self.certificateChainPEM.utf8)).map { .certificate($0) } }
        }

        var nioSSLKey: NIOSSLPrivateKey {
            get throws { try NIOSSLPrivateKey(bytes: Array(self.privateKeyPEM.utf8), format: .pem) }
        }
    }

    /// A key that the program implements, with these DER bytes.
    struct CustomKey: NIOSSLCustomPrivateKey, Hashable {
        var derBytes: [UInt8] = []
        let signatureAlgorithms: [SignatureAlgorithm] = [.ecdsaSecp256R1Sha256]

        func sign(channel: any Channel, algorithm: SignatureAlgorithm, data: ByteBuffer) -> EventLoopFuture<ByteBuffer> {
            channel.eventLoop.makeSucceededFuture(ByteBuffer())
        }

        func decrypt(channel: any Channel, data: ByteBuffer) -> EventLoopFuture<ByteBuffer> {
            channel.eventLoop.makeSucceededFuture(ByteBuffer())
        }
    }

    /// What NIOSSL has deprecated and configurations still contain. Called through this protocol, it causes no warning.
    protocol OlderNIOSSL: SendableMetatype {
        static func chain(file path: String) -> NIOSSLCertificateSource
        static func privateKey(file path: String) -> NIOSSLPrivateKeySource
        static func setClientCallback(of configuration: inout TLSConfiguration)
        static func setServerCallback(of configuration: inout TLSConfiguration)
    }

    private enum Older: OlderNIOSSL {
        @available(*, deprecated) static func chain(file path: String) -> NIOSSLCertificateSource { .file(path) }
        @available(*, deprecated) static func privateKey(file path: String) -> NIOSSLPrivateKeySource { .file(path) }
        @available(*, deprecated) static func setClientCallback(of configuration: inout TLSConfiguration) {
            configuration.pskClientCallback = { _ in PSKClientIdentityResponse(key: NIOSSLSecureBytes([1]), identity: "client") }
        }
        @available(*, deprecated) static func setServerCallback(of configuration: inout TLSConfiguration) {
            configuration.pskServerCallback = { _, _ in PSKServerIdentityResponse(key: NIOSSLSecureBytes([1])) }
        }
    }

    let olderNIOSSL: any OlderNIOSSL.Type = Older.self
#endif
