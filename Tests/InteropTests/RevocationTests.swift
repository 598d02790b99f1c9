import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// Revocation lists that OpenSSL reads as well, and the alerts that it receives.
@Suite(.serialized, .enabled(if: Program.openssl != nil, "needs OpenSSL 3"), .timeLimit(.minutes(5)))
struct `OpenSSL's peer` {
    private let own: TestCertificates
    private let folder: TemporaryDirectory

    init() throws {
        self.own = try TestCertificates.shared.get()
        self.folder = try TemporaryDirectory()
    }

    private func list(of revoked: [TLSCertificate]) throws -> String { try self.own.authority.revocationList(of: revoked) }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `accepts our client by our list, and refuses it when the list has it`(version: String) async throws {
        let tls = try TLSClientConfiguration(trust: self.own.trust, identity: self.own.clientIdentity)
        func connect(_ revoked: [TLSCertificate], _ body: (SecureSocket) async throws -> Void) async throws {
            let list = try self.folder.write(self.list(of: revoked), to: "list.pem")
            let server = try await OpenSSLPeer.server(
                version, "-rev", "-naccept", "1", "-Verify", "1", "-verify_return_error", "-crl_check", "-CRL", list)
            try await body(SecureSocket.connect(to: "127.0.0.1", port: server.port, tls: tls))
            _ = await server.program.outcome()
        }
        try await connect([]) { try await $0.expectReversedEcho() }
        try await connect([self.own.server.certificate]) { try await $0.expectReversedEcho() }
        let error = await #expect(throws: SecureSocketError.self) {
            // With TLS 1.3, the alert arrives after the handshake.
            try await connect([self.own.client.certificate]) { _ = try await $0.receive(timeout: Encounter.patience) }
        }
        #expect(error?.alert == .certificateRevoked)
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `receives the alert for its revoked certificate, as a server`(version: String) async throws {
        let server = try await OpenSSLPeer.server(version, "-rev", "-naccept", "2")
        func connect(_ revoked: [TLSCertificate]) async throws -> SecureSocket {
            let lists = try RevocationLists(.text(self.list(of: revoked)))
            let tls = try TLSClientConfiguration(trust: self.own.trust.checkingRevocation(with: lists))
            return try await SecureSocket.connect(to: "127.0.0.1", port: server.port, tls: tls)
        }
        try await connect([self.own.client.certificate]).expectReversedEcho()
        let error = await #expect(throws: SecureSocketError.self) { _ = try await connect([self.own.server.certificate]) }
        #expect(error?.certificateProblem?.kind == .revoked)
        let outcome = await server.program.outcome()
        #expect(outcome.errors.contains("alert certificate revoked"), "\(outcome.errors)")
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `receives the alert for its revoked certificate, as a client`(version: String) async throws {
        let honest = try self.own.authority.client(commonName: "honest")
        let lists = try RevocationLists(.text(self.list(of: [self.own.client.certificate])))
        let tls = try TLSServerConfiguration(
            identity: self.own.serverIdentity,
            clients: .required(trust: self.own.trust.checkingRevocation(with: lists)))
        try await withServedListener(tls, { try await $0.echoLine() }) { listener, failures in
            func exchange(as client: DevelopmentIdentity) async throws -> (status: Int32, output: String, errors: String) {
                let files = try client.files(in: self.folder)
                let client = try await OpenSSLPeer.client(
                    to: listener.localEndpoint.port, version, "-quiet", "-cert", files.chain, "-key", files.key)
                try await client.program.finishInput(with: "hello\n")
                return await client.program.outcome()
            }
            let accepted = try await exchange(as: honest)
            #expect(accepted.output == "hello\n", "\(accepted)")
            let refused = try await exchange(as: self.own.client)
            try #require(refused.errors.contains("alert certificate revoked"), "\(refused)")
            #expect(refused.output.isEmpty)
            #expect(await failures.next()?.certificateProblem?.kind == .revoked)
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `is not told that its certificate is bad if our list is missing`(version: String) async throws {
        let server = try await OpenSSLPeer.server(version, "-naccept", "1")
        let other = try TestCertificates()
        let lists = try RevocationLists(.text(other.authority.revocationList(of: [])))
        let tls = try TLSClientConfiguration(trust: self.own.trust.checkingRevocation(with: lists))
        let error = await #expect(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(to: "127.0.0.1", port: server.port, tls: tls)
        }
        // The other authority has the same name.
        #expect(error?.certificateProblem?.description.hasSuffix("is signed with another key than the certificate") == true)
        let outcome = await server.program.outcome()
        #expect(outcome.errors.contains("alert certificate unknown"), "\(outcome.errors)")
    }
}
