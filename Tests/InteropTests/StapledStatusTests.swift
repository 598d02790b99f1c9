import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

/// OCSP responses of OpenSSL's responder, stapled by our server to OpenSSL's client and by OpenSSL's server to our client.
@Suite(.serialized, .enabled(if: Program.openssl != nil, "needs OpenSSL 3"), .timeLimit(.minutes(5)))
struct `A stapled response of OpenSSL` {
    private let workshop: CredentialWorkshop

    init() throws { self.workshop = try CredentialWorkshop() }

    /// How the authority stands to the server's certificate.
    enum Record: String { case valid, revoked }

    /// Writes the certificate of a server, and has OpenSSL's responder answer for it. Returns the path of the answer.
    ///
    /// - Parameter responder: The options of the responder's certificate and key.
    private func respond(
        _ record: Record, _ server: IssuedCertificate, by responder: String = "-rsigner ca.pem -rkey ca.key"
    ) throws -> String {
        let number = server.serialNumber.map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return digits.count < 2 ? "0\(digits)" : digits
        }.joined()
        // The format of `openssl ca`: status, end of validity, revocation, serial number, file, subject.
        let line =
            record == .valid
            ? "V\t490101000000Z\t\t\(number)\tunknown\t/CN=Server\n"
            : "R\t490101000000Z\t240229123456Z,keyCompromise\t\(number)\tunknown\t/CN=Server\n"
        _ = try self.workshop.folder.write(line, to: "index.txt")
        _ = try self.workshop.folder.write(server.pem, to: "leaf.pem")
        _ = try self.workshop.folder.write(server.key.pem, to: "leaf.key")
        try self.workshop.run(
            """
            openssl ocsp -issuer ca.pem -cert leaf.pem -reqout request.der -no_nonce
            openssl ocsp -index index.txt -CA ca.pem \(responder) -reqin request.der -respout response.der -ndays 1
            """)
        return self.workshop.path(of: "response.der")
    }

    private func certificate(mustStaple: Bool = false) throws -> IssuedCertificate {
        try server(by: self.workshop.authority.issued, names: [.address([127, 0, 0, 1])]) { draft in
            if mustStaple { draft.set(.tlsFeatures(5)) }
        }
    }

    private var trust: TLSTrust { get throws { try .only(.text(self.workshop.authority.certificatePEM)) } }

    // MARK: Our server

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `is good for OpenSSL's client`(version: String) async throws {
        let leaf = try self.certificate()
        let response = try self.respond(.valid, leaf)
        let identity = try TLSIdentity(certificateChain: .text(leaf.pem), privateKey: .text(leaf.key.pem))
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0,
            tls: TLSServerConfiguration(identity: identity.stapling(ocspResponse: .file(response))))
        defer { listener.close() }
        async let accepted = listener.accept()
        let client = try await OpenSSLPeer.client(to: listener.localEndpoint.port, version, "-status", "-ign_eof")
        try await accepted.close()
        let outcome = await client.program.outcome()
        #expect(outcome.output.contains("OCSP Response Status: successful (0x0)"), "\(outcome)")
        #expect(outcome.output.contains("Cert Status: good"), "\(outcome)")
    }

    // MARK: Our client

    /// Connects to OpenSSL's server. Returns the problem, if there is one, and what the server has said of its errors.
    private func connect(_ version: String, stapling response: String?) async throws -> (CertificateProblem?, String) {
        let (leaf, key) = (self.workshop.path(of: "leaf.pem"), self.workshop.path(of: "leaf.key"))
        let server =
            if let response {
                try await OpenSSLPeer.server(version, "-naccept", "1", "-cert", leaf, "-key", key, "-status_file", response)
            } else {
                try await OpenSSLPeer.server(version, "-naccept", "1", "-cert", leaf, "-key", key)
            }
        let tls = try TLSClientConfiguration(trust: self.trust)
        do throws(SecureSocketError) {
            try await SecureSocket.connect(to: "127.0.0.1", port: server.port, tls: tls).close()
            return (nil, "")
        } catch {
            guard let problem = error.certificateProblem else { throw error }
            return (problem, await server.program.outcome().errors)
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `is accepted from OpenSSL's server if it is good`(version: String) async throws {
        let response = try self.respond(.valid, self.certificate(mustStaple: true))
        #expect(try await self.connect(version, stapling: response).0 == nil)
        let (problem, errors) = try await self.connect(version, stapling: nil)
        #expect(problem?.kind == .statusResponseMissing)
        #expect(errors.contains("SSL alert number 113"), "\(errors)")
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `is refused from OpenSSL's server if it says revoked`(version: String) async throws {
        let response = try self.respond(.revoked, self.certificate())
        let (problem, errors) = try await self.connect(version, stapling: response)
        #expect(problem?.kind == .revoked)
        #expect(problem?.description.contains("on 2024-02-29 12:34:56 UTC, reason: keyCompromise (1)") == true)
        #expect(errors.contains("alert certificate revoked"), "\(errors)")
    }

    @Test func `may be signed by a responder that the authority has certified`() async throws {
        var draft = CertificateDraft(subject: .name("Responder"), validity: .current)
        draft.set(.keyUsage(.digitalSignature))
        draft.set(.extendedKeyUsage(.ocspSigning))
        let responder = try draft.signed(for: .p256(), by: self.workshop.authority.issued)
        _ = try self.workshop.folder.write(responder.pem, to: "responder.pem")
        _ = try self.workshop.folder.write(responder.key.pem, to: "responder.key")
        let options = "-rsigner responder.pem -rkey responder.key"
        for identifier in ["", " -resp_key_id"] {
            let response = try self.respond(.valid, self.certificate(mustStaple: true), by: options + identifier)
            #expect(try await self.connect("-tls1_3", stapling: response).0 == nil)
        }
    }
}
