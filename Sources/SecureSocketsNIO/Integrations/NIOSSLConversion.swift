#if NIOSSLSupport
    import NIOSSL
    import SecureSockets
    import TLSEngine

    /// The conversion of one configuration of NIOSSL. Every function converts one or more properties, or records their faults, so that one
    /// error names all of them.
    ///
    /// Each property is converted to what it means in NIOSSL, not to what it may have been meant for: `SSLContext.swift` and
    /// `SSLConnection.swift` of NIOSSL decide. If SecureSockets has no such setting, the property is refused, unless it has the default
    /// of NIOSSL and the setting here is stricter.
    struct NIOSSLConversion {
        let configuration: NIOSSL.TLSConfiguration
        private var faults: [Fault] = []

        private struct Fault {
            let code: SecureSocketError.Code
            let problem: String
            let advice: String
            let errorNumber: Int32?
            let libraryReason: String?
        }

        init(_ configuration: NIOSSL.TLSConfiguration) { self.configuration = configuration }

        var succeeds: Bool { self.faults.isEmpty }

        // MARK: Faults

        /// Records that a property cannot be converted.
        mutating func refuse(
            _ property: NIOSSLProperty, _ problem: String, _ advice: String, code: SecureSocketError.Code = .invalidConfiguration
        ) {
            self.faults.append(
                Fault(
                    code: code, problem: "\(property.name) \(problem)", advice: advice, errorNumber: nil, libraryReason: nil))
        }

        /// Records that a property's value is not accepted.
        ///
        /// - Parameters:
        ///   - advice: The advice, if the error has none.
        ///   - replacesAdvice: Whether the advice replaces that of the error.
        mutating func refuse(
            _ property: NIOSSLProperty, because error: SecureSocketError, _ advice: String, replacesAdvice: Bool = false
        ) {
            self.faults.append(
                Fault(
                    code: error.code, problem: "\(property.name): \(error.message)",
                    advice: replacesAdvice ? advice : error.advice ?? advice,
                    errorNumber: error.errorNumber, libraryReason: error.libraryReason))
        }

        /// The error that names all faults.
        var error: SecureSocketError {
            let codes = Set(self.faults.map(\.code))
            let only = self.faults.count == 1 ? self.faults.first : nil
            var advice: [String] = []
            for fault in self.faults where !advice.contains(fault.advice) { advice.append(fault.advice) }
            return SecureSocketError(
                codes.count == 1 ? codes.first ?? .invalidConfiguration : .invalidConfiguration, blame: .configuration,
                step: .configuring,
                "the TLSConfiguration of NIOSSL cannot be converted: " + self.faults.map(\.problem).joined(separator: "; "),
                advice: advice.joined(separator: ". "), errorNumber: only?.errorNumber,
                libraryReason: only?.libraryReason)
        }

        // MARK: Verification

        /// Converts the verification of a server's clients; nil if it has a fault.
        mutating func clientAuthentication() -> TLSServerConfiguration.ClientAuthentication? {
            switch self.configuration.certificateVerification {
            case .none(let options):
                guard options.validatePresentedCertificates else { return TLSServerConfiguration.ClientAuthentication.none }
                return self.trust().map { .optional(trust: $0) }
            case .noHostnameVerification:
                return self.trust().map { .required(trust: $0) }
            case .fullVerification:
                // For the faults of the roots.
                _ = self.trust()
                self.refuse(
                    .certificateVerification,
                    "is .fullVerification, with which a server requires that the client's address is in its certificate",
                    "Set certificateVerification to .noHostnameVerification, which requires a certificate and verifies its chain; a "
                        + "PeerRule can compare addresses and names")
                return nil
            }
        }

        /// Records a fault if a client's verification is not `verification`.
        mutating func refuseOther(than verification: TLSClientConfiguration.Verification) {
            let value = self.configuration.certificateVerification
            guard verification != value.ofClient else { return }
            self.refuse(
                .certificateVerification, "is \(value.name), and the call requests .\(verification.name)",
                verification == .full
                    ? "Set certificateVerification to .fullVerification. If the program accepts that \(value.danger), call "
                        + "TLSClientConfiguration(_:verification: .\(value.ofClient.name))"
                    : "Set certificateVerification to what the call requests, or pass .\(value.ofClient.name)")
        }

        // MARK: Parameters

        /// Converts versions, cipher suites, groups and application protocols; nil if one of them has a fault.
        mutating func parameters() -> TLSParameters? {
            var parameters = TLSParameters()
            let versions = self.versions()
            let suites = self.cipherSuites()
            let groups = self.groups()
            let protocols = self.applicationProtocols()
            guard let versions, let suites, let groups, let protocols else { return nil }
            parameters.versions = versions
            parameters.tls12CipherSuites = suites.list
            if let list = groups.list { parameters.groups = list }
            parameters.applicationProtocols = protocols
            return parameters
        }

        private mutating func versions() -> ClosedRange<TLSProtocolVersion>? {
            let oldest: TLSProtocolVersion?
            switch self.configuration.minimumTLSVersion {
            // The default of NIOSSL. A peer of TLS 1.0 or 1.1 is refused here (RFC 8996).
            case .tlsv1, .tlsv12: oldest = .tls12
            case .tlsv13: oldest = .tls13
            case .tlsv11:
                oldest = nil
                self.refuse(
                    .minimumTLSVersion, "is .tlsv11, and TLS 1.1 is not supported (RFC 8996)",
                    "Set minimumTLSVersion to .tlsv12")
            }
            let newest: TLSProtocolVersion?
            switch self.configuration.maximumTLSVersion {
            case nil, .tlsv13: newest = .tls13
            case .tlsv12: newest = .tls12
            case .tlsv1, .tlsv11:
                newest = nil
                self.refuse(
                    .maximumTLSVersion,
                    "is .\(self.configuration.maximumTLSVersion.map { "\($0)" } ?? ""), and TLS 1.2 is the oldest supported version "
                        + "(RFC 8996)",
                    "Set maximumTLSVersion to .tlsv12, .tlsv13 or nil")
            }
            guard let oldest, let newest else { return nil }
            guard oldest <= newest else {
                self.refuse(
                    .minimumTLSVersion, "is .\(self.configuration.minimumTLSVersion), and maximumTLSVersion is older",
                    "Set minimumTLSVersion to .tlsv12, or maximumTLSVersion to .tlsv13")
                return nil
            }
            return oldest...newest
        }

        /// A list that replaces the default, or nil for the default.
        private struct Choice<Element> { let list: [Element]? }

        /// Evaluates the list as NIOSSL does, and returns the suites that it selects.
        private mutating func cipherSuites() -> Choice<TLSCipherSuite>? {
            let list = self.configuration.cipherSuites
            guard list != NIOSSL.defaultCipherSuites else { return Choice(list: nil) }
            let context = self.attempt(
                .cipherSuites, "Set cipherSuites to OpenSSL's names of suites of TLS 1.2, or leave NIOSSL's default"
            ) { $0.cipherSuites = .lenient(list) }
            return context.map { Choice(list: $0.cipherSuites.compactMap { TLSCipherSuite($0) }) }
        }

        private mutating func groups() -> Choice<TLSNamedGroup>? {
            guard let curves = self.configuration.curves else { return Choice(list: nil) }
            let supported = TLSNamedGroup.allCases
            let groups = curves.map { curve in supported.first { $0.codePoint == curve.rawValue } }
            let unsupported = zip(curves, groups).filter { $1 == nil }.map { TLSNames.group($0.0.rawValue) }
            guard unsupported.isEmpty else {
                self.refuse(
                    .curves, "contains \(unsupported.listedForDisplay), which is not supported",
                    "Use \(supported.map(\.description).joined(separator: ", ")) in curves, or leave it nil")
                return nil
            }
            let list = groups.compactMap(\.self)
            let context = self.attempt(.curves, "Name at least one group in curves, and each once, or leave it nil") {
                $0.groups = list.compactMap(\.group)
            }
            return context == nil ? nil : Choice(list: list)
        }

        private mutating func applicationProtocols() -> [String]? {
            let protocols = self.configuration.applicationProtocols
            let advice = "Give each name in applicationProtocols 1 to 255 bytes"
            let context = self.attempt(.applicationProtocols, advice) { $0.applicationProtocols = protocols }
            return context == nil ? nil : protocols
        }

        /// Returns a context with one property of the configuration; nil, with the fault recorded, if it is not accepted.
        private mutating func attempt(
            _ property: NIOSSLProperty, _ advice: String, _ change: (inout TLSSettings) -> Void
        ) -> TLSContext? {
            var settings = TLSSettings(role: .client)
            change(&settings)
            do {
                return try TLSContext(settings)
            } catch {
                self.refuse(property, because: SecureSocketError(error), advice)
                return nil
            }
        }

        // MARK: Properties without a counterpart

        mutating func refuseMissingIdentity() {
            guard self.configuration.certificateChain.isEmpty, self.configuration.privateKey == nil else { return }
            self.refuse(
                .certificateChain, "is empty, and a server needs a certificate", "Set certificateChain and privateKey",
                code: .identityMissing)
        }

        /// Records a fault if a client accepts renegotiation. A server of NIOSSL does not, whatever the property says.
        mutating func refuseRenegotiation() {
            guard self.configuration.renegotiationSupport != .none else { return }
            self.refuse(
                .renegotiationSupport, "is .\(self.configuration.renegotiationSupport), and renegotiation is always refused",
                "Set renegotiationSupport to .none, and have the server request certificates in the handshake")
        }

        /// Records faults for the properties that have no counterpart in either role.
        mutating func refuseOthers() {
            let configuration = self.configuration
            for (property, algorithms) in [
                (NIOSSLProperty.verifySignatureAlgorithms, configuration.verifySignatureAlgorithms),
                (.signingSignatureAlgorithms, configuration.signingSignatureAlgorithms),
            ] {
                guard let algorithms else { continue }
                let names = algorithms.map { TLSNames.signatureAlgorithm($0.rawValue) }.listedForDisplay
                self.refuse(
                    property, "is [\(names)], and signature algorithms cannot be configured",
                    "Leave \(property.name) nil: SHA-1 is never accepted, and the identity's key decides how this side signs")
            }
            let usesKeys = "Pre-shared keys are not supported: use certificates, or keep NIOSSL for these connections"
            if configuration.pskClientProvider != nil || configuration.hasOlderClientCallback {
                self.refuse(.pskClientProvider, "is set", usesKeys)
            }
            if configuration.pskServerProvider != nil || configuration.hasOlderServerCallback {
                self.refuse(.pskServerProvider, "is set", usesKeys)
            }
            if let hint = configuration.pskHint {
                self.refuse(.pskHint, "is \"\(hint.abbreviatedForDisplay)\"", usesKeys)
            }
            if configuration.sslContextCallback != nil {
                self.refuse(
                    .sslContextCallback, "is set, and a function of NIOSSL cannot be called here",
                    "Set sslContextCallback to nil, and use TLSServerConfiguration(identities:), or selectIdentity, an asynchronous "
                        + "function of the ClientHello")
            }
            if configuration.keyLogCallback != nil {
                self.refuse(
                    .keyLogCallback, "is set, and session keys are never disclosed",
                    "Set keyLogCallback to nil; to decrypt a capture, keep NIOSSL for that connection")
            }
        }
    }

    extension CertificateVerification {
        /// The same extent of verification by a client of this library.
        fileprivate var ofClient: TLSClientConfiguration.Verification {
            switch self {
            case .fullVerification: .full
            case .noHostnameVerification: .dangerouslyWithoutHostName
            // A server without pre-shared keys always sends a certificate, which is then verified.
            case .none(let options): options.validatePresentedCertificates ? .dangerouslyWithoutHostName : .dangerouslyNone
            }
        }

        fileprivate var name: String {
            switch self {
            case .fullVerification: ".fullVerification"
            case .noHostnameVerification: ".noHostnameVerification"
            case .none(let options): options.validatePresentedCertificates ? ".optionalVerification" : ".none"
            }
        }

        /// What a client without full verification risks.
        fileprivate var danger: String {
            self.ofClient == .dangerouslyNone
                ? "an attacker on the path can read and modify all data"
                : "any server with a certificate from a trusted authority can take the server's place"
        }
    }

    extension TLSClientConfiguration.Verification {
        fileprivate var name: String {
            switch self {
            case .dangerouslyNone: "dangerouslyNone"
            case .dangerouslyWithoutHostName: "dangerouslyWithoutHostName"
            default: "full"
            }
        }
    }
#endif
