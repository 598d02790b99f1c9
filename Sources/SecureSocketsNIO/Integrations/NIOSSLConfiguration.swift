#if NIOSSLSupport
    public import NIOSSL
    public import SecureSockets

    extension TLSServerConfiguration {
        /// Creates the settings of a server from a configuration of NIOSSL.
        ///
        /// Available with the package trait `NIOSSLSupport`. A property is converted exactly, or the error names it: nothing is ignored
        /// that has an effect in NIOSSL. Files are read once. The article "Migrating from NIOSSL" has the table of all properties.
        ///
        /// Three defaults of NIOSSL become stricter instead: with `minimumTLSVersion` `.tlsv1`, TLS 1.2 is the oldest version; with
        /// `defaultCipherSuites`, only suites with ECDHE and authenticated encryption are accepted in TLS 1.2; and the names of the
        /// authorities are sent to clients also if `sendCANameList` is false.
        ///
        /// `certificateVerification` `.none`, `.optionalVerification` and `.noHostnameVerification` become `ClientAuthentication.none`,
        /// `.optional` and `.required`, with the trust roots.
        ///
        /// `shutdownTimeout` belongs to the handler: `TLSHandlerOptions(_:)`.
        ///
        /// ```swift
        /// import NIOSSL
        /// import SecureSockets
        /// import SecureSocketsNIO
        ///
        /// func load(_ former: TLSConfiguration) throws -> LiveServerConfiguration {
        ///     LiveServerConfiguration(try TLSServerConfiguration(former))
        /// }
        /// ```
        ///
        /// - Parameter configuration: The configuration of NIOSSL.
        /// - Throws: `SecureSocketError` that names all properties that cannot be converted, and says what to do instead. Its code is
        ///   `invalidConfiguration`, or the common code if all faults have another one: `certificateUnusable`, `privateKeyUnusable`,
        ///   `privateKeyMismatch`, `trustUnusable`, `cipherSuitesUnusable` or `identityMissing`.
        public init(_ configuration: NIOSSL.TLSConfiguration) throws(SecureSocketError) {
            var conversion = NIOSSLConversion(configuration)
            let identity = conversion.identity()
            if identity == nil { conversion.refuseMissingIdentity() }
            let clients = conversion.clientAuthentication()
            let parameters = conversion.parameters()
            conversion.refuseOthers()
            guard let identity, let clients, let parameters, conversion.succeeds else { throw conversion.error }
            try self.init(identity: identity, clients: clients, parameters: parameters)
        }
    }

    extension TLSClientConfiguration {
        /// Creates the settings of a client from a configuration of NIOSSL.
        ///
        /// Available with the package trait `NIOSSLSupport`. A property is converted exactly, or the error names it: nothing is ignored
        /// that has an effect in NIOSSL. Files are read once. The article "Migrating from NIOSSL" has the table of all properties.
        ///
        /// Two defaults of NIOSSL become stricter instead: with `minimumTLSVersion` `.tlsv1`, TLS 1.2 is the oldest version; and with
        /// `defaultCipherSuites`, only suites with ECDHE and authenticated encryption are offered for TLS 1.2.
        ///
        /// `shutdownTimeout` belongs to the handler: `TLSHandlerOptions(_:)`.
        ///
        /// ```swift
        /// import NIOSSL
        /// import SecureSockets
        /// import SecureSocketsNIO
        ///
        /// func load(_ former: TLSConfiguration) throws -> TLSClientConfiguration {
        ///     try TLSClientConfiguration(former)
        /// }
        /// ```
        ///
        /// - Parameters:
        ///   - configuration: The configuration of NIOSSL.
        ///   - verification: The extent of verification, which must be that of the configuration. A client without full verification is
        ///     thereby recognized where it is created: `.noHostnameVerification` and `.optionalVerification`, which verify the chain only,
        ///     require `.dangerouslyWithoutHostName`, and `.none` requires `.dangerouslyNone`. Default: full.
        /// - Throws: `SecureSocketError` that names all properties that cannot be converted, and says what to do instead. Its code is
        ///   `invalidConfiguration`, or the common code if all faults have another one: `certificateUnusable`, `privateKeyUnusable`,
        ///   `privateKeyMismatch`, `trustUnusable` or `cipherSuitesUnusable`.
        public init(
            _ configuration: NIOSSL.TLSConfiguration, verification: Verification = .full
        ) throws(SecureSocketError) {
            var conversion = NIOSSLConversion(configuration)
            let identity = conversion.identity()
            conversion.refuseOther(than: verification)
            let trust = verification == .dangerouslyNone ? TLSTrust.system : conversion.trust()
            let parameters = conversion.parameters()
            conversion.refuseRenegotiation()
            conversion.refuseOthers()
            guard let trust, let parameters, conversion.succeeds else { throw conversion.error }
            try self.init(trust: trust, verification: verification, identity: identity, parameters: parameters)
        }
    }

    extension TLSHandlerOptions {
        /// Creates the options of a handler from a configuration of NIOSSL: its `shutdownTimeout`, and the defaults for the others.
        ///
        /// Available with the package trait `NIOSSLSupport`. The other properties of the configuration are converted by
        /// `TLSServerConfiguration(_:)` and `TLSClientConfiguration(_:verification:)`.
        public init(_ configuration: NIOSSL.TLSConfiguration) {
            self.init()
            self.shutdownTimeout = configuration.shutdownTimeout
        }
    }
#endif
