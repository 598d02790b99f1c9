#if NIOSSLSupport
    import NIOSSL
    import SecureSockets
    import TLSEngine

    extension NIOSSLConversion {
        // MARK: Trust

        /// Converts the trust roots and the additional ones; nil if they have a fault.
        mutating func trust() -> TLSTrust? {
            var trust: TLSTrust?
            do throws(SecureSocketError) {
                switch self.configuration.trustRoots ?? .default {
                case .default:
                    trust = .system
                    _ = try TLSTrust.system.load()
                case .file(let path): trust = try .only(.file(path))
                // None at all is a legal value in NIOSSL, which then trusts the additional roots only.
                case .certificates(let certificates) where certificates.isEmpty: break
                case .certificates(let certificates): trust = try .only(Self.decoded(certificates))
                }
            } catch {
                self.refuse(.trustRoots, because: error, "Set trustRoots to .default, a file of PEM, or a list of certificates")
                // The additional roots are checked as well.
                trust = .system
            }
            do throws(SecureSocketError) {
                for roots in self.configuration.additionalTrustRoots {
                    switch roots {
                    case .file(let path):
                        if let present = trust {
                            trust = try present.adding(.file(path))
                        } else {
                            trust = try .only(.file(path))
                        }
                    case .certificates(let certificates) where certificates.isEmpty: break
                    case .certificates(let certificates):
                        let certificates = try Self.decoded(certificates)
                        if let present = trust {
                            trust = try present.adding(certificates)
                        } else {
                            trust = try .only(certificates)
                        }
                    }
                }
            } catch {
                self.refuse(
                    .additionalTrustRoots, because: error, "Set additionalTrustRoots to files of PEM, or lists of certificates")
                return nil
            }
            if trust == nil {
                self.refuse(
                    .trustRoots,
                    "is an empty list, and additionalTrustRoots has no certificate either, so that every peer is refused",
                    "Name at least one certificate in trustRoots", code: .trustUnusable)
            }
            return trust
        }

        private static func decoded(_ certificates: [NIOSSLCertificate]) throws(SecureSocketError) -> [TLSCertificate] {
            var decoded: [TLSCertificate] = []
            for certificate in certificates { decoded.append(try TLSCertificate(derBytes: Self.bytes(of: certificate))) }
            return decoded
        }

        private static func bytes(of certificate: NIOSSLCertificate) throws(SecureSocketError) -> [UInt8] {
            do {
                return try certificate.toDERBytes()
            } catch {
                throw SecureSocketError(
                    .certificateUnusable, blame: .configuration, step: .configuring,
                    "NIOSSL cannot encode a certificate: \("\(error)".abbreviatedForDisplay)")
            }
        }

        // MARK: Identity

        /// A private key as an identity is made of it.
        private enum Key {
            case der([UInt8])
            case pem(PEMInput)
        }

        /// Converts the certificate chain and the private key; nil if there is none or it has a fault.
        mutating func identity() -> TLSIdentity? {
            let hasChain = !self.configuration.certificateChain.isEmpty
            let chain = self.chain()
            let key = self.key()
            switch (hasChain, self.configuration.privateKey) {
            case (true, nil):
                self.refuse(
                    .privateKey, "is nil, although there is a certificateChain",
                    "Set privateKey to the key of its first certificate")
            case (false, .some):
                self.refuse(
                    .certificateChain, "is empty, although there is a privateKey",
                    "Set certificateChain to the certificates, this side's own first")
            default: break
            }
            guard let chain, let key else { return nil }
            do {
                switch key {
                case .der(let bytes): return TLSIdentity(try Identity(certificates: chain, privateKey: bytes))
                case .pem(let source): return TLSIdentity(try Identity(certificates: chain, privateKeyPEM: source))
                }
            } catch {
                let lacksPassword = error.problem == .passwordMissing
                let advice =
                    switch error.item {
                    case .privateKey where lacksPassword:
                        "Load it with NIOSSLPrivateKey(file:format:passphraseCallback:), and set privateKey to .privateKey"
                    case .privateKey: "Set privateKey to the key of the first certificate"
                    default: "Set certificateChain to certificates that peers accept"
                    }
                self.refuse(
                    error.item == .privateKey ? .privateKey : .certificateChain, because: SecureSocketError(error), advice,
                    replacesAdvice: lacksPassword)
                return nil
            }
        }

        /// The certificates of the chain in DER; nil if there is none or it has a fault.
        private mutating func chain() -> [[UInt8]]? {
            var chain: [[UInt8]] = []
            do throws(SecureSocketError) {
                for source in self.configuration.certificateChain {
                    if let path = source.filePath {
                        // In NIOSSL too, the certificates of a file replace those of the sources before it.
                        chain = try Self.certificates(inFile: path)
                    } else if case .certificate(let certificate) = source {
                        chain.append(try Self.bytes(of: certificate))
                    }
                }
            } catch {
                self.refuse(.certificateChain, because: error, "Set certificateChain to certificates in PEM")
                return nil
            }
            return chain.isEmpty ? nil : chain
        }

        private static func certificates(inFile path: String) throws(SecureSocketError) -> [[UInt8]] {
            do {
                return try DecodedCertificate.chain(.file(path: path)).map(\.derBytes)
            } catch {
                throw SecureSocketError(error)
            }
        }

        private mutating func key() -> Key? {
            guard let source = self.configuration.privateKey else { return nil }
            if let path = source.filePath {
                // NIOSSL decides by the name whether a file is in DER. Most files with the extension `key` are in PEM.
                let isDER = ["der", "key"].contains(path.split(separator: ".").last?.lowercased())
                guard isDER, let key = try? NIOSSLPrivateKey(file: path, format: .der) else { return .pem(.file(path: path)) }
                return self.bytes(of: key).map { .der($0) }
            }
            guard case .privateKey(let key) = source else { return nil }
            return self.bytes(of: key).map { .der($0) }
        }

        private mutating func bytes(of key: NIOSSLPrivateKey) -> [UInt8]? {
            let identityAdvice =
                "Create a TLSIdentity from the key's file, and a configuration with it, for example TLSServerConfiguration(identity:)"
            let bytes: [UInt8]
            do {
                bytes = try key.derBytes
            } catch {
                self.refuse(
                    .privateKey, "is a key that NIOSSL cannot encode, such as one of Ed25519", identityAdvice,
                    code: .privateKeyUnusable)
                return nil
            }
            guard !key.isCustom(with: bytes) else {
                self.refuse(
                    .privateKey, "is a NIOSSLCustomPrivateKey, whose functions sign for NIOSSL only",
                    "Custom keys are not supported. " + identityAdvice, code: .privateKeyUnusable)
                return nil
            }
            return bytes
        }
    }
#endif
