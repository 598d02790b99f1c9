#if NIOSSLSupport
    import NIOSSL
    import SecureSockets
    import SecureSocketsNIO
    import SecureSocketsTesting
    import TLSEngine
    import TestSupport
    import Testing

    /// What becomes of each property of NIOSSL's configuration.
    @Suite(.timeLimit(.minutes(5))) struct `A property of NIOSSL's configuration` {
        private func error(_ body: () throws -> some Any) -> SecureSocketError? {
            do {
                _ = try body()
                return nil
            } catch {
                return error as? SecureSocketError
            }
        }

        @Test(arguments: NIOSSLPropertyRow.all)
        func `is converted, or named in the error`(_ row: NIOSSLPropertyRow) throws {
            switch row.outcome {
            case .converts(let isExpected):
                let context = try row.convert()
                #expect(isExpected(context), "\(context.settings)")
            case .refused(let text, let code):
                let error = try #require(self.error { try row.convert() })
                #expect(error.code == code)
                #expect(error.blame == .configuration)
                #expect(error.message.hasPrefix("the TLSConfiguration of NIOSSL cannot be converted: \(row.property.name)"))
                #expect(error.description.contains(text), "\(error)")
                #expect(error.advice != nil)
            }
        }

        /// If a release of NIOSSL adds a property, the conversion and `NIOSSLPropertyRow.all` need it too.
        @Test func `is known to the conversion and has a row`() {
            let stored = Mirror(reflecting: TLSConfiguration.makeClientConfiguration()).children.compactMap(\.label)
            #expect(stored.sorted() == NIOSSLProperty.allCases.map(\.rawValue).sorted())
            #expect(Set(NIOSSLPropertyRow.all.map(\.property)) == Set(NIOSSLProperty.allCases))
        }

        @Test func `is named with all others that are refused`() throws {
            let material = try NIOSSLMaterial()
            var server = try material.server
            server.minimumTLSVersion = .tlsv11
            server.cipherSuites = "nothing"
            server.curves = [.x448]
            server.verifySignatureAlgorithms = [.ed25519]
            server.signingSignatureAlgorithms = []
            server.certificateVerification = .fullVerification
            server.trustRoots = .certificates([])
            server.privateKey = .privateKey(NIOSSLPrivateKey(customPrivateKey: CustomKey()))
            server.applicationProtocols = [""]
            server.pskClientProvider = { _ in PSKClientIdentityResponse(key: NIOSSLSecureBytes([1]), identity: "client") }
            server.pskServerProvider = { _ in PSKServerIdentityResponse(key: NIOSSLSecureBytes([1])) }
            server.pskHint = "hint"
            server.sslContextCallback = { _, promise in promise.succeed(NIOSSLContextConfigurationOverride()) }
            server.keyLogCallback = { _ in }
            let error = try #require(self.error { try TLSServerConfiguration(server) })
            let faults = error.message.components(after: "converted: ")
            #expect(
                faults.map { $0.prefix { $0.isLetter } } == [
                    "privateKey", "trustRoots", "certificateVerification", "minimumTLSVersion", "cipherSuites", "curves",
                    "applicationProtocols", "verifySignatureAlgorithms", "signingSignatureAlgorithms", "pskClientProvider",
                    "pskServerProvider", "pskHint",
                    "sslContextCallback", "keyLogCallback",
                ])
            #expect(error.code == .invalidConfiguration)

            var client = try material.client
            client.trustRoots = .file("/nowhere/roots.pem")
            client.additionalTrustRoots = [.file("/nowhere/more.pem")]
            client.maximumTLSVersion = .tlsv11
            client.renegotiationSupport = .once
            let other = try #require(self.error { try TLSClientConfiguration(client) })
            #expect(
                other.message.components(after: "converted: ").map { $0.prefix { $0.isLetter } } == [
                    "trustRoots", "additionalTrustRoots", "maximumTLSVersion", "renegotiationSupport",
                ])
            // Advice that several faults share is given once.
            #expect(error.advice?.ranges(of: "Pre-shared keys").count == 1)
        }

        @Test func `that weakens a client's verification must be requested by the call as well`() throws {
            var client = try NIOSSLMaterial().client
            typealias Verification = TLSClientConfiguration.Verification
            for (value, same) in [
                (CertificateVerification.fullVerification, Verification.full),
                (.noHostnameVerification, .dangerouslyWithoutHostName), (.optionalVerification, .dangerouslyWithoutHostName),
                (.none, .dangerouslyNone),
            ] {
                client.certificateVerification = value
                for verification in [Verification.full, .dangerouslyWithoutHostName, .dangerouslyNone] {
                    let error = self.error { try TLSClientConfiguration(client, verification: verification) }
                    #expect((error == nil) == (verification == same), "\(value), \(verification)")
                }
            }
            // The factory for pre-shared keys verifies nothing.
            let error = self.error { try TLSClientConfiguration(.makePreSharedKeyConfiguration()) }
            #expect(error?.advice?.contains("attacker") == true)
        }

        @Test func `that belongs to the handler becomes one of its options`() throws {
            var configuration = try NIOSSLMaterial().client
            #expect(TLSHandlerOptions(configuration) == TLSHandlerOptions())
            configuration.shutdownTimeout = .milliseconds(1500)
            var options = TLSHandlerOptions()
            options.shutdownTimeout = .milliseconds(1500)
            #expect(TLSHandlerOptions(configuration) == options)
        }

        @Test func `does not disclose the private key`() throws {
            let material = try NIOSSLMaterial()
            let folder = try TemporaryDirectory()
            let lines = material.certificates.server.privateKeyPEM.split(separator: "\n")
            let path = try folder.write(lines.dropLast().joined(separator: "\n"), to: "own.pem")
            var server = try material.server
            server.privateKey = olderNIOSSL.privateKey(file: path)
            let error = try #require(self.error { try TLSServerConfiguration(server) })
            #expect(error.code == .privateKeyUnusable)
            for line in lines where !line.hasPrefix("-----") { #expect(!error.description.contains(line)) }
        }
    }

    extension String {
        /// The parts, separated by semicolons, that follow a text.
        fileprivate func components(after start: String) -> [Substring] {
            self.firstRange(of: start).map { self[$0.upperBound...].split(separator: "; ") } ?? []
        }
    }
#endif
