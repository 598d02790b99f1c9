import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// A listener with an ECDSA and an RSA certificate for the same name, and clients that can verify only one of them.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `One of two kinds of keys` {
    /// The kind of key that a client can verify.
    enum Kind: String, CaseIterable, CustomTestStringConvertible {
        case ecdsa = "ECDSA"
        case rsa = "RSA"

        var testDescription: String { self.rawValue }
        var other: Kind { self == .ecdsa ? .rsa : .ecdsa }
        /// The only cipher suite of a client, with TLS 1.2.
        var cipherSuite: String { "ECDHE-\(self.rawValue)-AES128-GCM-SHA256" }
        var standardCipherSuite: String { "TLS_ECDHE_\(self.rawValue)_WITH_AES_128_GCM_SHA256" }
        /// The only signature scheme of a client, with TLS 1.3.
        var signatureScheme: String { self == .ecdsa ? "ecdsa_secp256r1_sha256" : "rsa_pss_rsae_sha256" }
    }

    private struct Certificates {
        let authority: DevelopmentAuthority
        let ecdsa: DevelopmentIdentity
        let rsa: DevelopmentIdentity

        init() throws {
            self.authority = try DevelopmentAuthority()
            self.ecdsa = try self.authority.server()
            self.rsa = try self.authority.server(key: .rsa2048)
        }

        /// Generated once, because RSA keys take long.
        static let shared = Result { try Certificates() }
    }

    private let certificates: Certificates
    private let folder: TemporaryDirectory
    private let trusted: String

    init() throws {
        self.certificates = try Certificates.shared.get()
        self.folder = try TemporaryDirectory()
        self.trusted = try self.folder.write(self.certificates.authority.certificatePEM, to: "ca.pem")
    }

    private func identity(_ kind: Kind) -> DevelopmentIdentity {
        kind == .ecdsa ? self.certificates.ecdsa : self.certificates.rsa
    }

    private func tls(_ kinds: [Kind]) throws -> TLSServerConfiguration {
        try TLSServerConfiguration(identities: [ServerIdentity(kinds.map { self.identity($0).identity })])
    }

    /// Serves both kinds in both orders, and then only the kind that the client cannot verify.
    private func withServer(
        _ kind: Kind, _ version: TLSProtocolVersion = .tls12,
        _ handler: @escaping @Sendable (SecureSocket) async throws -> Void = { try await $0.echoLine() },
        isAccepted: (SecureListener) async throws -> Void, isRefused: (SecureListener) async throws -> Void
    ) async throws {
        try await withServedListener(self.tls([kind, kind.other]), handler) { listener, failures in
            try await isAccepted(listener)
            try await listener.update(tls: self.tls([kind.other, kind]))
            try await isAccepted(listener)
            try await listener.update(tls: self.tls([kind.other]))
            try await isRefused(listener)
            let parameter = await failures.next()?.negotiation?.parameter
            #expect(parameter == (version == .tls12 ? .cipherSuite : .signatureScheme))
        }
    }

    @Test(.enabled(if: Program.openssl != nil), arguments: Kind.allCases, TLSProtocolVersion.allCases)
    func `is verified by OpenSSL's client`(kind: Kind, version: TLSProtocolVersion) async throws {
        let openssl = try #require(Program.openssl)
        let limit = version == .tls12 ? ["-tls1_2", "-cipher", kind.cipherSuite] : ["-tls1_3", "-sigalgs", kind.signatureScheme]
        func connect(to listener: SecureListener) async throws -> (status: Int32, output: String, errors: String) {
            let program = try RunningProgram(
                openssl,
                [
                    "s_client", "-connect", "127.0.0.1:\(listener.localEndpoint.port)", "-servername", "localhost", "-ign_eof",
                    "-CAfile", self.trusted, "-verify_hostname", "localhost", "-verify_return_error",
                ] + limit)
            try await program.finishInput(with: "hello\n")
            return await program.outcome()
        }
        try await self.withServer(kind, version) { listener in
            let accepted = try await connect(to: listener)
            #expect(accepted.output.contains(self.identity(kind).certificateChainPEM), "\(accepted)")
            #expect(accepted.output.contains("\nhello\n"), "\(accepted)")
        } isRefused: { listener in
            let refused = try await connect(to: listener)
            try #require(refused.errors.contains("alert handshake failure"), "\(refused)")
        }
    }

    @Test(.enabled(if: Program.python != nil), arguments: Kind.allCases)
    func `is verified by Python's client, with TLS 1.2`(kind: Kind) async throws {
        func connect(to listener: SecureListener) async throws -> PythonClient.Outcome {
            try await PythonClient(to: listener, .tls12, trusting: self.trusted, cipherSuites: kind.cipherSuite).outcome()
        }
        try await self.withServer(kind) { listener in
            let outcome = try await connect(to: listener)
            #expect(outcome == .connected(fingerprint: self.identity(kind).certificate.sha256Fingerprint))
        } isRefused: { listener in
            let outcome = try await connect(to: listener)
            try #require(outcome == .failed(reason: "SSLV3_ALERT_HANDSHAKE_FAILURE"))
        }
    }

    @Test(.enabled(if: Program.curl != nil), arguments: Kind.allCases)
    func `is verified by curl, with TLS 1.2`(kind: Kind) async throws {
        let curl = try #require(Program.curl)
        func get(from listener: SecureListener) async throws -> (status: Int32, output: String, errors: String) {
            let port = listener.localEndpoint.port
            let program = try RunningProgram(
                curl,
                [
                    "-q", "--noproxy", "*", "--silent", "--show-error", "--max-time", "30", "--cacert", self.trusted,
                    "--tlsv1.2", "--tls-max", "1.2", "--ciphers", kind.cipherSuite, "--write-out", "%{certs}", "--resolve",
                    "localhost:\(port):127.0.0.1", "https://localhost:\(port)/",
                ])
            try await program.finishInput()
            return await program.outcome()
        }
        try await self.withServer(kind, .tls12, { try await $0.answerRequest() }) { listener in
            let accepted = try await get(from: listener)
            #expect(accepted.status == 0 && accepted.output.hasPrefix("localhost "), "\(accepted)")
            #expect(accepted.output.contains(self.identity(kind).certificateChainPEM), "\(accepted)")
        } isRefused: { listener in
            // CURLE_SSL_CONNECT_ERROR
            let refused = try await get(from: listener)
            try #require(refused.status == 35 && refused.errors.contains("alert handshake failure"), "\(refused)")
        }
    }

    @Test(.enabled(if: GoPeer.go != nil), arguments: Kind.allCases)
    func `is verified by Go's client, with TLS 1.2`(kind: Kind) async throws {
        func connect(to listener: SecureListener) async throws -> GoClient.Outcome {
            var client = try await GoClient(
                to: listener.localEndpoint.port,
                GoPeer.Options(version: .tls12, authority: self.trusted, cipherSuite: kind.standardCipherSuite))
            return try await client.connect(as: "localhost")
        }
        try await self.withServer(kind) { listener in
            let number = self.identity(kind).certificate.hexadecimalSerialNumber
            let outcome = try await connect(to: listener)
            #expect(outcome == .connected(isResumed: false, serialNumber: number))
        } isRefused: { listener in
            let outcome = try await connect(to: listener)
            try #require(outcome == .failed("remote error: tls: handshake failure"))
        }
    }
}
