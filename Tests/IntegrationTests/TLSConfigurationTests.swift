#if ConfigurationSupport
    import Configuration
    import SecureSockets
    import SecureSocketsTesting
    import TLSEngine
    import TestSupport
    import Testing

    /// `TLSServerConfiguration(config:)` and `TLSClientConfiguration(config:)`.
    @Suite(.timeLimit(.minutes(5))) struct `A TLS configuration that is read` {
        private let certificates: TestCertificates
        private var identity: [AbsoluteConfigKey: ConfigValue] {
            [
                "tls.certificateChain": .init(.string(self.certificates.server.certificateChainPEM), isSecret: false),
                "tls.privateKey": .init(.string(self.certificates.server.privateKeyPEM), isSecret: true),
            ]
        }
        private var clientIdentity: [AbsoluteConfigKey: ConfigValue] {
            [
                "tls.certificateChain": .init(.string(self.certificates.client.certificateChainPEM), isSecret: false),
                "tls.privateKey": .init(.string(self.certificates.client.privateKeyPEM), isSecret: true),
            ]
        }
        private var roots: [AbsoluteConfigKey: ConfigValue] {
            ["tls.trustRoots": .init(.string(self.certificates.authority.certificatePEM), isSecret: false)]
        }

        init() throws { self.certificates = try TestCertificates.shared.get() }

        private typealias Values = [AbsoluteConfigKey: ConfigValue]

        private func reader(_ values: Values...) -> ConfigReader {
            ConfigReader(provider: InMemoryProvider(values: values.reduce([:]) { $0.merging($1) { $1 } }))
        }

        private func server(_ values: Values...) throws -> TLSServerConfiguration {
            try TLSServerConfiguration(
                config: ConfigReader(provider: InMemoryProvider(values: values.reduce(self.identity) { $0.merging($1) { $1 } })))
        }

        private func client(_ values: Values...) throws -> TLSClientConfiguration {
            try TLSClientConfiguration(
                config: ConfigReader(provider: InMemoryProvider(values: values.reduce(self.roots) { $0.merging($1) { $1 } })))
        }

        private func string(_ key: AbsoluteConfigKey, _ value: String) -> Values { [key: .init(.string(value), isSecret: false)] }

        private func error(_ body: () throws -> some Any) -> SecureSocketError? {
            do {
                _ = try body()
                return nil
            } catch {
                return error as? SecureSocketError
            }
        }

        // MARK: Connections

        @Test func `connects with PEM text`() async throws {
            let encounter = try await Encounter(of: self.client(), with: self.server())
            #expect(try encounter.client.get().information.peerCertificate == self.certificates.serverIdentity.certificates.first)
            try encounter.server.get().close()
        }

        @Test func `connects with files`() async throws {
            let folder = try TemporaryDirectory()
            let server = try self.server(
                self.string("tls.certificateChain", folder.write(self.certificates.server.certificateChainPEM, to: "chain.pem")),
                self.string("tls.privateKey", folder.write(self.certificates.server.privateKeyPEM, to: "key.pem")))
            let client = try self.client(
                self.string("tls.trustRoots", folder.write(self.certificates.authority.certificatePEM, to: "roots.pem")))
            let encounter = try await Encounter(of: client, with: server)
            try encounter.client.get().close()
            try encounter.server.get().close()
        }

        @Test func `is relative to the reader`() async throws {
            let values = Dictionary(uniqueKeysWithValues: self.identity.map { ($0.prepending("mail"), $1) })
            _ = try TLSServerConfiguration(config: self.reader(values).scoped(to: "mail"))
            #expect(self.error { try TLSServerConfiguration(config: self.reader(values)) }?.code == .invalidConfiguration)
        }

        @Test(arguments: [nil, "required", "optional", "none"])
        func `requests client certificates with roots, unless it says otherwise`(_ authentication: String?) async throws {
            let own = authentication.map { self.string("tls.clientAuthentication", $0) } ?? [:]
            let server = try self.server(self.roots, own)
            let anonymous = try await Encounter(of: self.client(), with: server)
            #expect((anonymous.serverRefusal != nil) == (authentication == nil || authentication == "required"))
            let known = try await Encounter(of: self.client(self.clientIdentity), with: server)
            #expect(try (known.server.get().information.peerCertificate != nil) == (authentication != "none"))
        }

        @Test func `has the application protocols, versions and server name`() async throws {
            let protocols: Values = ["tls.applicationProtocols": .init(.stringArray(["h2", "http/1.1"]), isSecret: false)]
            let encounter = try await Encounter(
                of: self.client(protocols, self.string("tls.serverName", "localhost")),
                with: self.server(protocols, self.string("tls.maximumVersion", "1.2")))
            let information = try encounter.server.get().information
            #expect(information.applicationProtocol == "h2")
            #expect(information.version == .tls12)
            #expect(information.serverName == "localhost")
            let newer = try await Encounter(
                of: self.client(self.string("tls.minimumVersion", "1.3")),
                with: self.server(self.string("tls.maximumVersion", "1.2")))
            #expect(newer.serverRefusal?.code == .protocolError)
        }

        @Test func `has the system's trust if it has no roots`() async throws {
            let client = try TLSClientConfiguration(config: self.reader([:]))
            let encounter = try await Encounter(of: client, with: self.server())
            #expect(await encounter.clientRefusal?.code == .certificateVerificationFailed)
        }

        @Test func `decrypts its key with a password`() throws {
            let key = try PrivateKeyPEM.encrypted(self.certificates.server.privateKeyPEM, password: "secret")
            let values = self.string("tls.privateKey", key)
            _ = try self.server(values, self.string("tls.privateKeyPassword", "secret"))
            let error = self.error { try self.server(values, self.string("tls.privateKeyPassword", "wrong-secret")) }
            #expect(error?.code == .privateKeyUnusable)
            #expect(error?.message.hasPrefix("tls.privateKey: ") == true)
            #expect(error?.description.contains("wrong-secret") == false)
        }

        // MARK: Errors

        @Test func `names the key that is missing`() throws {
            func missing(_ key: AbsoluteConfigKey) -> SecureSocketError? {
                var values = self.identity
                values[key] = nil
                return self.error { try TLSServerConfiguration(config: self.reader(values)) }
            }
            for key: AbsoluteConfigKey in ["tls.certificateChain", "tls.privateKey"] {
                #expect(missing(key)?.code == .invalidConfiguration)
                #expect(missing(key)?.message.hasPrefix("\(key) is missing") == true)
            }
            let error = self.error { try TLSServerConfiguration(config: self.reader([:])) }
            #expect(error?.message.hasPrefix("tls.certificateChain is missing") == true)
            let rootless = self.error { try self.server(self.string("tls.clientAuthentication", "required")) }
            #expect(rootless?.message.hasPrefix("tls.trustRoots is missing") == true)
            let keyless = self.error {
                try self.client(self.string("tls.certificateChain", self.certificates.client.certificateChainPEM))
            }
            #expect(keyless?.message.hasPrefix("tls.privateKey is missing") == true)
        }

        @Test(arguments: [
            ("tls.certificateChain", "/nowhere/chain.pem", SecureSocketError.Code.certificateUnusable),
            ("tls.certificateChain", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", .certificateUnusable),
            ("tls.trustRoots", "/nowhere/roots.pem", .trustUnusable),
            ("tls.trustRoots", "", .invalidConfiguration),
            ("tls.clientAuthentication", "maybe", .invalidConfiguration),
            ("tls.minimumVersion", "1.1", .invalidConfiguration),
            ("tls.maximumVersion", "TLS 1.3", .invalidConfiguration),
        ])
        func `names the key whose value is wrong`(_ key: String, _ value: String, _ code: SecureSocketError.Code) throws {
            let error = self.error { try self.server(self.roots, self.string(.init(ConfigKey(key)), value)) }
            #expect(error?.code == code)
            #expect(error?.message.hasPrefix(key) == true)
            #expect(error?.advice != nil)
        }

        @Test(arguments: [
            "tls.certificateChain", "tls.privateKey", "tls.privateKeyPassword", "tls.trustRoots", "tls.clientAuthentication",
            "tls.applicationProtocols", "tls.minimumVersion", "tls.maximumVersion",
        ])
        func `names the key whose value has another type, and does not regard it as missing`(_ key: String) throws {
            let error = self.error { try self.server([.init(ConfigKey(key)): .init(.int(7), isSecret: false)]) }
            #expect(error?.code == .invalidConfiguration)
            #expect(error?.message.hasPrefix("\(key) cannot be read") == true)
        }

        @Test func `names the key of a server name that is not one, and of versions in the wrong order`() throws {
            let name = self.error { try self.client(self.string("tls.serverName", "a b")) }
            #expect(name?.message.hasPrefix("tls.serverName: ") == true)
            let versions = self.error {
                try self.client(self.string("tls.minimumVersion", "1.3"), self.string("tls.maximumVersion", "1.2"))
            }
            #expect(versions?.message.hasPrefix("tls.minimumVersion ") == true)
        }

        @Test(arguments: [0, 1])
        func `says nothing of a damaged private key`(_ damage: Int) throws {
            let pem = self.certificates.server.privateKeyPEM
            let lines = pem.split(separator: "\n")
            // Without its BEGIN line, or without its END line.
            let damaged = (damage == 0 ? lines.dropFirst() : lines.dropLast()).joined(separator: "\n")
            let error = try #require(self.error { try self.server(self.string("tls.privateKey", damaged)) })
            #expect(error.message.hasPrefix("tls.privateKey"))
            for line in lines where !line.hasPrefix("-----") { #expect(!error.description.contains(line)) }
        }
    }
#endif
