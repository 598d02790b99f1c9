#if NIOSSLSupport
    /// The stored properties of NIOSSL's `TLSConfiguration`, as far as the conversion knows them. A test compares the list with the
    /// structure itself, so that a property that a release of NIOSSL adds is noticed.
    package enum NIOSSLProperty: String, CaseIterable, Sendable {
        case minimumTLSVersion
        case maximumTLSVersion
        /// Also set by `cipherSuiteValues`.
        case cipherSuites
        case curves
        case verifySignatureAlgorithms
        case signingSignatureAlgorithms
        case certificateVerification
        case trustRoots
        case additionalTrustRoots
        case certificateChain
        case privateKey
        /// Stored for `pskClientProvider` and the deprecated `pskClientCallback`.
        case pskClientProvider = "_pskClientIdentityProvider"
        /// Stored for `pskServerProvider` and the deprecated `pskServerCallback`.
        case pskServerProvider = "_pskServerIdentityProvider"
        case pskHint
        case sslContextCallback
        /// Stored for `applicationProtocols`.
        case applicationProtocols = "encodedApplicationProtocols"
        /// Converted by `TLSHandlerOptions.init(_:)`.
        case shutdownTimeout
        case keyLogCallback
        case renegotiationSupport
        case sendCANameList

        /// The name of the public property.
        package var name: String { "\(self)" }
    }
#endif
