#if NIOSSLSupport
    import NIOSSL
    import SecureSockets
    import SecureSocketsNIO
    import SecureSocketsTesting
    import TLSEngine
    import TestSupport

    extension NIOSSLPropertyRow {
        private static func verifies(_ verification: TLSSettings.PeerVerification, roots: Int? = nil) -> Outcome {
            .converts { $0.settings.verification == verification && (roots == nil || $0.settings.trust?.count == roots) }
        }

        /// Sets the verification and one authority.
        private static func verification(
            _ value: CertificateVerification, _ outcome: Outcome, of role: Role
        ) -> [NIOSSLPropertyRow] {
            Self.rows(.certificateVerification, "\(value)", outcome, of: [role]) {
                $0.configuration.certificateVerification = value
                $0.configuration.trustRoots = .certificates(try $0.material.authority)
            }
        }

        private static let hasSystemTrust = Outcome.converts { $0.settings.trust?.canBeNamed == false }

        static let verification: [[NIOSSLPropertyRow]] = [
            Self.verification(.none, .converts { $0.settings.verification == .none && $0.settings.trust == nil }, of: .server),
            Self.verification(.optionalVerification, verifies(.ifGiven, roots: 1), of: .server),
            Self.verification(.noHostnameVerification, verifies(.required, roots: 1), of: .server),
            Self.verification(.fullVerification, .refused("is .fullVerification"), of: .server),
            Self.verification(.fullVerification, verifies(.required, roots: 1), of: .client),
            Self.verification(.noHostnameVerification, .refused("dangerouslyWithoutHostName"), of: .client),
            Self.verification(.optionalVerification, .refused("dangerouslyWithoutHostName"), of: .client),
            Self.verification(.none, .refused("dangerouslyNone"), of: .client),

            Self.trust(.trustRoots, "nil", Self.hasSystemTrust) { $0.configuration.trustRoots = nil },
            Self.trust(.trustRoots, "the default", Self.hasSystemTrust) {
                $0.configuration.trustRoots = .default
            },
            Self.trust(.trustRoots, "certificates", verifies(.required, roots: 2)) {
                $0.configuration.trustRoots = .certificates(try $0.material.authority + $0.material.authority)
            },
            Self.trust(.trustRoots, "a file", verifies(.required, roots: 1)) {
                $0.configuration.trustRoots = .file(
                    try $0.folder.write($0.material.certificates.authority.certificatePEM, to: "roots.pem"))
            },
            Self.trust(.trustRoots, "a file that does not exist", .refused("/nowhere/roots.pem", .trustUnusable)) {
                $0.configuration.trustRoots = .file("/nowhere/roots.pem")
            },
            Self.trust(.trustRoots, "a folder", .refused("is a folder", .trustUnusable)) {
                $0.configuration.trustRoots = .file($0.folder.path)
            },
            Self.trust(.trustRoots, "an empty list", .refused("every peer is refused", .trustUnusable)) {
                $0.configuration.trustRoots = .certificates([])
                $0.configuration.additionalTrustRoots = [.certificates([])]
            },
            Self.trust(.additionalTrustRoots, "certificates", verifies(.required, roots: 2)) {
                $0.configuration.additionalTrustRoots = [.certificates(try $0.material.authority)]
            },
            Self.trust(.additionalTrustRoots, "files", verifies(.required, roots: 3)) {
                let path = try $0.folder.write($0.material.certificates.authority.certificatePEM, to: "roots.pem")
                $0.configuration.additionalTrustRoots = [.file(path), .file(path)]
            },
            Self.trust(.additionalTrustRoots, "without others", verifies(.required, roots: 1)) {
                $0.configuration.trustRoots = .certificates([])
                $0.configuration.additionalTrustRoots = [.certificates(try $0.material.authority)]
            },
            Self.trust(
                .additionalTrustRoots, "the system's and others",
                .converts { $0.settings.trust?.canBeNamed == false && $0.settings.trust?.origin.contains("given by") == true }
            ) {
                $0.configuration.trustRoots = .default
                $0.configuration.additionalTrustRoots = [.certificates(try $0.material.authority)]
            },
            Self.trust(
                .additionalTrustRoots, "a file that does not exist", .refused("/nowhere/roots.pem", .trustUnusable)
            ) { $0.configuration.additionalTrustRoots = [.file("/nowhere/roots.pem")] },
        ]

        /// Sets roots where the peer's certificate is verified.
        private static func trust(
            _ property: NIOSSLProperty, _ value: String, _ outcome: Outcome,
            _ set: @escaping @Sendable (inout Draft) throws -> Void
        ) -> [NIOSSLPropertyRow] {
            Self.rows(property, value, outcome) { draft in
                if draft.configuration.certificateVerification == .none {
                    draft.configuration.certificateVerification = .noHostnameVerification
                }
                draft.configuration.trustRoots = .certificates(try draft.material.authority)
                try set(&draft)
            }
        }

        // MARK: Certificates and keys

        private static func subjects(_ subjects: String...) -> Outcome {
            .converts { $0.settings.identity?.certificates.map(\.subject) == subjects }
        }

        /// Sets an identity, in the form that the closure chooses.
        private static func identity(
            _ property: NIOSSLProperty, _ value: String, _ outcome: Outcome, key: DevelopmentIdentity.Key = .p256,
            _ set: @escaping @Sendable (inout Draft, DevelopmentIdentity) throws -> Void
        ) -> [NIOSSLPropertyRow] {
            Self.rows(property, value, outcome) { draft in
                let identity = try DevelopmentAuthority().intermediate(commonName: "Intermediate").server(
                    names: ["own"], key: key)
                draft.configuration.certificateChain = try identity.nioSSLChain
                draft.configuration.privateKey = .privateKey(try identity.nioSSLKey)
                try set(&draft, identity)
            }
        }

        static let certificates: [[NIOSSLPropertyRow]] = [
            Self.identity(.certificateChain, "certificates", subjects("CN=own", "CN=Intermediate")) { _, _ in },
            Self.identity(.certificateChain, "a file", subjects("CN=own", "CN=Intermediate")) {
                let path = try $0.folder.write($1.certificateChainPEM, to: "chain.pem")
                $0.configuration.certificateChain = [olderNIOSSL.chain(file: path)]
            },
            // In NIOSSL, a file replaces what precedes it.
            Self.identity(.certificateChain, "a certificate and a file", subjects("CN=own", "CN=Intermediate")) {
                let path = try $0.folder.write($1.certificateChainPEM, to: "chain.pem")
                let other = try $0.material.certificates.server.nioSSLChain
                $0.configuration.certificateChain = other + [olderNIOSSL.chain(file: path)]
            },
            Self.identity(.certificateChain, "a file and a certificate", subjects("CN=own", "CN=Intermediate", "CN=Intermediate"))
            {
                let path = try $0.folder.write($1.certificateChainPEM, to: "chain.pem")
                $0.configuration.certificateChain = try [olderNIOSSL.chain(file: path)] + $1.nioSSLChain.dropFirst()
            },
            Self.identity(.certificateChain, "a missing file", .refused("/nowhere/chain.pem", .certificateUnusable)) { draft, _ in
                draft.configuration.certificateChain = [olderNIOSSL.chain(file: "/nowhere/chain.pem")]
            },
            Self.identity(.certificateChain, "empty, with a key", .refused("is empty, although")) { draft, _ in
                draft.configuration.certificateChain = []
            },
            Self.rows(.certificateChain, "empty", .refused("is empty, and a server", .identityMissing), of: [.server]) {
                $0.configuration = .makePreSharedKeyConfiguration()
            },
            Self.rows(.certificateChain, "empty", .converts { $0.settings.identity == nil }, of: [.client]) { _ in },
        ]

        static let keys: [[NIOSSLPropertyRow]] = [
            Self.identity(.privateKey, "of RSA", subjects("CN=own", "CN=Intermediate"), key: .rsa2048) { _, _ in },
            Self.identity(.privateKey, "a file in PEM", subjects("CN=own", "CN=Intermediate")) {
                $0.configuration.privateKey = olderNIOSSL.privateKey(file: try $0.folder.write($1.privateKeyPEM, to: "own.pem"))
            },
            Self.identity(.privateKey, "a file in DER", subjects("CN=own", "CN=Intermediate")) {
                let path = try $0.folder.write($1.nioSSLKey.derBytes, to: "own.key")
                $0.configuration.privateKey = olderNIOSSL.privateKey(file: path)
            },
            Self.identity(.privateKey, "a file in PEM with a name for DER", subjects("CN=own", "CN=Intermediate")) {
                $0.configuration.privateKey = olderNIOSSL.privateKey(file: try $0.folder.write($1.privateKeyPEM, to: "own.key"))
            },
            Self.identity(.privateKey, "encrypted, with its passphrase", subjects("CN=own", "CN=Intermediate")) {
                let pem = try PrivateKeyPEM.encrypted($1.privateKeyPEM, password: "secret")
                $0.configuration.privateKey = .privateKey(
                    try NIOSSLPrivateKey(bytes: Array(pem.utf8), format: .pem) { set in set(Array("secret".utf8)) })
            },
            Self.identity(.privateKey, "an encrypted file", .refused("passphraseCallback", .privateKeyUnusable)) {
                let pem = try PrivateKeyPEM.encrypted($1.privateKeyPEM, password: "secret")
                $0.configuration.privateKey = olderNIOSSL.privateKey(file: try $0.folder.write(pem, to: "own.pem"))
            },
            Self.identity(.privateKey, "a missing file", .refused("/nowhere/own.pem", .privateKeyUnusable)) { draft, _ in
                draft.configuration.privateKey = olderNIOSSL.privateKey(file: "/nowhere/own.pem")
            },
            Self.identity(.privateKey, "of another certificate", .refused("CN=own", .privateKeyMismatch)) { draft, _ in
                draft.configuration.privateKey = .privateKey(try draft.material.certificates.server.nioSSLKey)
            },
            Self.identity(.privateKey, "of Ed25519", .refused("Ed25519", .privateKeyUnusable), key: .ed25519) { _, _ in },
            Self.identity(.privateKey, "custom", .refused("NIOSSLCustomPrivateKey", .privateKeyUnusable)) { draft, _ in
                draft.configuration.privateKey = .privateKey(NIOSSLPrivateKey(customPrivateKey: CustomKey()))
            },
            Self.identity(.privateKey, "custom, with the bytes of a key", .refused("NIOSSLCustomPrivateKey", .privateKeyUnusable))
            {
                let key = CustomKey(derBytes: try $1.nioSSLKey.derBytes)
                $0.configuration.privateKey = .privateKey(NIOSSLPrivateKey(customPrivateKey: key))
            },
            Self.identity(.privateKey, "nil, with a chain", .refused("is nil, although")) { draft, _ in
                draft.configuration.privateKey = nil
            },
        ]
    }
#endif
