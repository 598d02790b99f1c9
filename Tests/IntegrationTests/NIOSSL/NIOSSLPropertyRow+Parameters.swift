#if NIOSSLSupport
    import NIOSSL
    import SecureSockets
    import SecureSocketsNIO
    import TLSEngine

    extension NIOSSLPropertyRow {
        static let all: [NIOSSLPropertyRow] =
            (Self.parameters + Self.verification + Self.certificates + Self.keys + Self.callbacks).flatMap(\.self)

        private static func versions(_ versions: ClosedRange<TLSProtocolVersion>) -> Outcome {
            .converts {
                $0.settings.versions.lowerBound.rawValue == versions.lowerBound.codePoint
                    && $0.settings.versions.upperBound.rawValue == versions.upperBound.codePoint
            }
        }

        private static func suites(_ names: String...) -> Outcome { .converts { $0.cipherSuites == names } }

        private static func groups(_ groups: TLSGroup...) -> Outcome { .converts { $0.settings.groups == groups } }

        private static func protocols(_ names: String...) -> Outcome { .converts { $0.settings.applicationProtocols == names } }

        private static let parameters: [[NIOSSLPropertyRow]] = [
            Self.rows(.minimumTLSVersion, \.minimumTLSVersion, .tlsv1, versions(.tls12 ... .tls13)),
            Self.rows(.minimumTLSVersion, \.minimumTLSVersion, .tlsv11, .refused("TLS 1.1 is not supported")),
            Self.rows(.minimumTLSVersion, \.minimumTLSVersion, .tlsv12, versions(.tls12 ... .tls13)),
            Self.rows(.minimumTLSVersion, \.minimumTLSVersion, .tlsv13, versions(.tls13 ... .tls13)),
            Self.rows(.minimumTLSVersion, "later than the maximum", .refused("maximumTLSVersion is older")) {
                $0.configuration.minimumTLSVersion = .tlsv13
                $0.configuration.maximumTLSVersion = .tlsv12
            },
            Self.rows(.maximumTLSVersion, \.maximumTLSVersion, nil, versions(.tls12 ... .tls13)),
            Self.rows(.maximumTLSVersion, \.maximumTLSVersion, .tlsv13, versions(.tls12 ... .tls13)),
            Self.rows(.maximumTLSVersion, \.maximumTLSVersion, .tlsv12, versions(.tls12 ... .tls12)),
            Self.rows(.maximumTLSVersion, \.maximumTLSVersion, .tlsv11, .refused("is .tlsv11")),
            Self.rows(.maximumTLSVersion, \.maximumTLSVersion, .tlsv1, .refused("is .tlsv1,")),

            Self.rows(
                .cipherSuites, "the default",
                .converts { context in
                    context.settings.cipherSuites == .forwardSecretAEAD
                        && context.cipherSuites.allSatisfy { $0.hasPrefix("TLS_ECDHE") && !$0.hasSuffix("SHA") }
                }
            ) { _ in },
            Self.rows(
                .cipherSuites, \.cipherSuites, "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256",
                suites("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")),
            // An older suite that the program has asked for, and a name that NIOSSL skips.
            Self.rows(.cipherSuites, \.cipherSuites, "nothing:AES128-SHA", suites("TLS_RSA_WITH_AES_128_CBC_SHA")),
            Self.rows(
                .cipherSuites, \.cipherSuites, "ECDHE+ECDSA+AESGCM:!AES256", suites("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")),
            Self.rows(.cipherSuites, "cipherSuiteValues", suites("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256")) {
                $0.configuration.cipherSuiteValues = [.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]
            },
            Self.rows(.cipherSuites, \.cipherSuites, "nothing", .refused("\"nothing\"", .cipherSuitesUnusable)),
            Self.rows(.cipherSuites, \.cipherSuites, "", .refused("\"\"", .cipherSuitesUnusable)),
            Self.rows(
                .cipherSuites, \.cipherSuites, "TLS_AES_128_GCM_SHA256", .refused("TLS_AES_128_GCM_SHA256", .cipherSuitesUnusable)
            ),

            Self.rows(.curves, \.curves, nil, groups(.x25519MLKEM768, .x25519, .secp256r1, .secp384r1)),
            Self.rows(.curves, \.curves, [.secp521r1, .x25519], groups(.secp521r1, .x25519)),
            Self.rows(
                .curves, \.curves, [.x25519_MLKEM768, .secp256r1, .secp384r1], groups(.x25519MLKEM768, .secp256r1, .secp384r1)),
            Self.rows(.curves, \.curves, [.x25519, .x448], .refused("X448")),
            Self.rows(.curves, \.curves, [], .refused("is empty")),
            Self.rows(.curves, \.curves, [.x25519, .x25519], .refused("names one twice")),

            Self.rows(.verifySignatureAlgorithms, \.verifySignatureAlgorithms, nil, .converts { _ in true }),
            Self.rows(.verifySignatureAlgorithms, \.verifySignatureAlgorithms, [.ed25519], .refused("[ed25519]")),
            Self.rows(.signingSignatureAlgorithms, \.signingSignatureAlgorithms, nil, .converts { _ in true }),
            Self.rows(
                .signingSignatureAlgorithms, \.signingSignatureAlgorithms, [.rsaPkcs1Sha1], .refused("[rsa_pkcs1_sha1]")),

            Self.rows(.applicationProtocols, \.applicationProtocols, [], protocols()),
            Self.rows(.applicationProtocols, \.applicationProtocols, ["h2", "http/1.1"], protocols("h2", "http/1.1")),
            Self.rows(.applicationProtocols, \.applicationProtocols, ["h2", ""], .refused("1 to 255 bytes")),
            Self.rows(.applicationProtocols, \.applicationProtocols, ["\0"], .refused("NUL")),

            Self.rows(.shutdownTimeout, \.shutdownTimeout, .seconds(77), .converts { _ in true }),
            // The names are sent in any case, unless there are too many.
            Self.rows(.sendCANameList, \.sendCANameList, false, .converts { _ in true }),
            Self.rows(.sendCANameList, \.sendCANameList, true, .converts { _ in true }),
        ]

        /// Properties without a counterpart.
        private static let callbacks: [[NIOSSLPropertyRow]] = [
            Self.rows(.pskClientProvider, "set", .refused("Pre-shared keys")) {
                $0.configuration.pskClientProvider = { _ in
                    PSKClientIdentityResponse(key: NIOSSLSecureBytes([1]), identity: "client")
                }
            },
            Self.rows(.pskClientProvider, "set by pskClientCallback", .refused("Pre-shared keys")) {
                olderNIOSSL.setClientCallback(of: &$0.configuration)
            },
            Self.rows(.pskServerProvider, "set", .refused("Pre-shared keys")) {
                $0.configuration.pskServerProvider = { _ in PSKServerIdentityResponse(key: NIOSSLSecureBytes([1])) }
            },
            Self.rows(.pskServerProvider, "set by pskServerCallback", .refused("Pre-shared keys")) {
                olderNIOSSL.setServerCallback(of: &$0.configuration)
            },
            Self.rows(.pskHint, \.pskHint, "a hint\u{1b}", .refused("\"a hint\\u{1b}\"")),
            Self.rows(.sslContextCallback, "set", .refused("selectIdentity")) {
                $0.configuration.sslContextCallback = { $1.succeed(NIOSSLContextConfigurationOverride()) }
            },
            Self.rows(.keyLogCallback, "set", .refused("never disclosed")) { $0.configuration.keyLogCallback = { _ in } },
            Self.rows(.renegotiationSupport, \.renegotiationSupport, .none, .converts { _ in true }),
            Self.rows(.renegotiationSupport, \.renegotiationSupport, .once, .refused("is .once"), of: [.client]),
            Self.rows(.renegotiationSupport, \.renegotiationSupport, .always, .refused("is .always"), of: [.client]),
            // A server of NIOSSL does not renegotiate either.
            Self.rows(.renegotiationSupport, \.renegotiationSupport, .once, .converts { _ in true }, of: [.server]),
        ]
    }
#endif
