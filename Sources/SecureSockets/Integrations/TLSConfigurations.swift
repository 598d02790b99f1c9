#if ConfigurationSupport
    public import Configuration
    import TLSEngine

    #if canImport(Darwin)
        import Darwin
    #elseif canImport(Musl)
        import Musl
    #elseif canImport(Android)
        import Android
    #else
        import Glibc
    #endif

    extension TLSServerConfiguration {
        /// Creates the settings of a server from a configuration, as Hummingbird and mqtt-nio read it.
        ///
        /// Available with the package trait `ConfigurationSupport`. The values are read once. A certificate or key is PEM text, which
        /// contains `-----BEGIN`, or the path of a file, which is read once too. ``TLSFiles`` follows files that change.
        ///
        /// | Key, relative to the reader | Value |
        /// |---|---|
        /// | `tls.certificateChain` | The certificates, the server's own first. Required. |
        /// | `tls.privateKey` | The private key, a secret. Required. |
        /// | `tls.privateKeyPassword` | The password of an encrypted key, a secret. |
        /// | `tls.trustRoots` | The roots in which a client's chain may end. |
        /// | `tls.clientAuthentication` | `none`, `optional` or `required`. Default: `required` with `tls.trustRoots`, otherwise `none`. |
        /// | `tls.applicationProtocols` | The application protocols (ALPN), a list of strings. Default: none. |
        /// | `tls.minimumVersion`, `tls.maximumVersion` | `1.2` or `1.3`, a string. Default: both versions are accepted. |
        ///
        /// In Hummingbird, `tls.trustRoots` alone does not make the server request certificates.
        ///
        /// - Parameter config: The reader.
        /// - Throws: ``SecureSocketError`` that names the key at fault: `invalidConfiguration` if a value is missing, of another type or
        ///   unknown, or if the provider fails; otherwise the codes of ``TLSIdentity`` and ``TLSTrust``. The messages contain no secret.
        public init(config: ConfigReader) throws(SecureSocketError) {
            let values = ConfigValues(config)
            guard let identity = try values.identity() else { throw .missing(.certificateChain, "A server needs it") }
            try self.init(identity: identity, clients: values.clientAuthentication(), parameters: values.parameters())
        }
    }

    extension TLSClientConfiguration {
        /// Creates the settings of a client from a configuration, as mqtt-nio reads it.
        ///
        /// Available with the package trait `ConfigurationSupport`. The values are read once. A certificate or key is PEM text, which
        /// contains `-----BEGIN`, or the path of a file, which is read once too. Chain and host name are always verified.
        ///
        /// | Key, relative to the reader | Value |
        /// |---|---|
        /// | `tls.trustRoots` | The roots in which a server's chain may end. Default: the system's. |
        /// | `tls.serverName` | The name to request and to verify. Default: the host that is connected to. |
        /// | `tls.certificateChain` | The certificates for servers that request one, the client's own first. Default: none. |
        /// | `tls.privateKey` | The private key, a secret. Required if there is a chain. |
        /// | `tls.privateKeyPassword` | The password of an encrypted key, a secret. |
        /// | `tls.applicationProtocols` | The application protocols (ALPN), a list of strings. Default: none. |
        /// | `tls.minimumVersion`, `tls.maximumVersion` | `1.2` or `1.3`, a string. Default: both versions are offered. |
        ///
        /// - Parameter config: The reader.
        /// - Throws: ``SecureSocketError`` that names the key at fault: `invalidConfiguration` if a value is missing, of another type or
        ///   unknown, or if the provider fails; otherwise the codes of ``TLSIdentity`` and ``TLSTrust``. The messages contain no secret.
        public init(config: ConfigReader) throws(SecureSocketError) {
            let values = ConfigValues(config)
            let serverName = try values.string(.serverName)
            if let serverName {
                do {
                    try SecureSocketError.check(serverName: serverName)
                } catch {
                    throw error.naming(.serverName)
                }
            }
            try self.init(
                trust: values.trust() ?? .system, identity: values.identity(), serverName: serverName,
                parameters: values.parameters())
        }
    }

    /// A key of a TLS configuration.
    private struct TLSConfigKey {
        let name: String
        var isSecret = false

        static let certificateChain = TLSConfigKey(name: "tls.certificateChain")
        static let privateKey = TLSConfigKey(name: "tls.privateKey", isSecret: true)
        static let privateKeyPassword = TLSConfigKey(name: "tls.privateKeyPassword", isSecret: true)
        static let trustRoots = TLSConfigKey(name: "tls.trustRoots")
        static let serverName = TLSConfigKey(name: "tls.serverName")
        static let clientAuthentication = TLSConfigKey(name: "tls.clientAuthentication")
        static let applicationProtocols = TLSConfigKey(name: "tls.applicationProtocols")
        static let minimumVersion = TLSConfigKey(name: "tls.minimumVersion")
        static let maximumVersion = TLSConfigKey(name: "tls.maximumVersion")

        var key: ConfigKey { ConfigKey(self.name) }
    }

    /// The values of a TLS configuration.
    private struct ConfigValues {
        private let config: ConfigReader

        init(_ config: ConfigReader) { self.config = config }

        // MARK: Values of a type

        /// Returns a string; nil if there is none.
        func string(_ key: TLSConfigKey) throws(SecureSocketError) -> String? {
            let value = try self.read(key, "a string", { try $0.requiredString(forKey: key.key, isSecret: key.isSecret) })
            if value?.isEmpty == true { throw .wrong(key, "is empty", "Remove it, or give it a value") }
            return value
        }

        /// Returns the value; nil if there is none.
        ///
        /// An optional getter of the reader would also return nil if the value is of another type or its provider fails. A server would
        /// then request no client certificates, although the configuration has `tls.trustRoots`.
        private func read<Value>(
            _ key: TLSConfigKey, _ kind: String, _ get: (ConfigReader) throws -> Value
        ) throws(SecureSocketError) -> Value? {
            do {
                return try get(self.config)
            } catch {
                if Self.kind(of: error) == Self.kindOfMissing { return nil }
                throw .wrong(
                    key, key.isSecret ? "cannot be read" : "cannot be read: \("\(error)".escapedForDisplay)",
                    "The value must be \(kind), and its provider available")
            }
        }

        /// The kind of the error with which a required getter reports that there is no value. The type of these errors is not public:
        /// this one comes from a provider without values.
        private static let kindOfMissing: [String] = {
            do {
                _ = try ConfigReader(provider: InMemoryProvider(values: [:])).requiredString(forKey: "missing")
                return []
            } catch {
                return Self.kind(of: error)
            }
        }()

        /// The type of an error and the name of its case.
        private static func kind(of error: any Error) -> [String] {
            [String(reflecting: type(of: error)), Mirror(reflecting: error).children.first?.label ?? String(describing: error)]
        }

        // MARK: Certificates and keys

        func identity() throws(SecureSocketError) -> TLSIdentity? {
            let chain = try self.source(.certificateChain)
            let key = try self.source(.privateKey)
            let password = try self.string(.privateKeyPassword)
            guard let chain else {
                if key != nil || password != nil { throw .missing(.certificateChain, "There is a private key without it") }
                return nil
            }
            guard let key else { throw .missing(.privateKey, "There is a certificate chain without it") }
            do {
                return try TLSIdentity(certificateChain: chain, privateKey: key, password: password)
            } catch {
                switch error.code {
                case .certificateUnusable: throw error.naming(.certificateChain)
                case .privateKeyUnusable, .privateKeyMismatch: throw error.naming(.privateKey)
                default: throw error
                }
            }
        }

        func trust() throws(SecureSocketError) -> TLSTrust? {
            guard let source = try self.source(.trustRoots) else { return nil }
            do {
                return try .only(source)
            } catch {
                throw error.naming(.trustRoots)
            }
        }

        private func source(_ key: TLSConfigKey) throws(SecureSocketError) -> CredentialSource? {
            guard let value = try self.string(key) else { return nil }
            if value.contains("-----BEGIN") { return .text(value) }
            // The message about a file that cannot be read names it. A damaged key must not be taken for a name.
            if key.isSecret, value.utf8.contains(0) || access(value, R_OK) != 0 {
                throw .wrong(
                    key, "is neither PEM text, which contains -----BEGIN, nor the path of a file that can be read",
                    "Set it to the private key in PEM, or to the path of its file")
            }
            return .file(value)
        }

        // MARK: Settings

        func clientAuthentication() throws(SecureSocketError) -> TLSServerConfiguration.ClientAuthentication {
            let trust = try self.trust()
            let value = try self.string(.clientAuthentication)
            switch (value, trust) {
            case ("none", _), (nil, nil): return .none
            case ("optional", let trust?): return .optional(trust: trust)
            case ("required", let trust?), (nil, let trust?): return .required(trust: trust)
            case ("optional", nil), ("required", nil):
                throw .missing(
                    .trustRoots, "\(TLSConfigKey.clientAuthentication.name) needs the roots of the clients' certificates")
            case (let value?, _):
                throw .wrong(.clientAuthentication, "is \"\(value.escapedForDisplay)\"", "Set it to none, optional or required")
            }
        }

        func parameters() throws(SecureSocketError) -> TLSParameters {
            var parameters = TLSParameters()
            let key = TLSConfigKey.applicationProtocols
            if let protocols = try self.read(key, "a list of strings", { try $0.requiredStringArray(forKey: key.key) }) {
                parameters.applicationProtocols = protocols
            }
            let oldest = try self.version(.minimumVersion) ?? parameters.versions.lowerBound
            let newest = try self.version(.maximumVersion) ?? parameters.versions.upperBound
            guard oldest <= newest else {
                throw .wrong(
                    .minimumVersion, "is later than \(TLSConfigKey.maximumVersion.name)",
                    "Set both to the same version, or remove one")
            }
            parameters.versions = oldest...newest
            return parameters
        }

        private func version(_ key: TLSConfigKey) throws(SecureSocketError) -> TLSProtocolVersion? {
            switch try self.string(key) {
            case nil: return nil
            case "1.2": return .tls12
            case "1.3": return .tls13
            case let value?: throw .wrong(key, "is \"\(value.escapedForDisplay)\"", "Set it to 1.2 or 1.3")
            }
        }
    }

    extension SecureSocketError {
        fileprivate static func missing(_ key: TLSConfigKey, _ reason: String) -> SecureSocketError {
            SecureSocketError(
                .invalidConfiguration, blame: .configuration, step: .configuring, "\(key.name) is missing. \(reason)",
                advice: "Set it to PEM text, or to the path of a file")
        }

        fileprivate static func wrong(_ key: TLSConfigKey, _ problem: String, _ advice: String) -> SecureSocketError {
            SecureSocketError(
                .invalidConfiguration, blame: .configuration, step: .configuring, "\(key.name) \(problem)", advice: advice)
        }

        /// Returns the error with the name of the key whose value is at fault.
        fileprivate func naming(_ key: TLSConfigKey) -> SecureSocketError {
            SecureSocketError(
                self.code, blame: .configuration, step: .configuring, "\(key.name): \(self.message)", advice: self.advice,
                errorNumber: self.errorNumber, libraryReason: self.libraryReason)
        }
    }
#endif
