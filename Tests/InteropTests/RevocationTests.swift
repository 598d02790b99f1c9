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

    private static var tls12: TLSParameters {
        var parameters = TLSParameters()
        parameters.versions = .tls12 ... .tls12
        return parameters
    }

    private func list(of revoked: [TLSCertificate]) throws -> String { try self.own.authority.revocationList(of: revoked) }

    /// The client's certificate and key for `s_client`.
    private func clientOptions() throws -> (certificate: String, key: String) {
        (
            try self.folder.write(self.own.client.certificateChainPEM, to: "client.pem"),
            try self.folder.write(self.own.client.privateKeyPEM, to: "client-key.pem")
        )
    }

    @Test func `accepts our client by our list, and refuses it when the list has it`() async throws {
        let tls = try TLSClientConfiguration(
            trust: self.own.trust, identity: self.own.clientIdentity, parameters: Self.tls12)
        func connect(_ revoked: [TLSCertificate]) async throws -> SecureSocketError? {
            let list = try self.folder.write(self.list(of: revoked), to: "list.pem")
            let server = try await OpenSSLPeer.server(
                "-Verify", "1", "-verify_return_error", "-crl_check", "-CRL", list)
            do throws(SecureSocketError) {
                let socket = try await SecureSocket.connect(to: "127.0.0.1", port: server.port, tls: tls)
                socket.close()
                return nil
            } catch {
                return error
            }
        }
        #expect(try await connect([]) == nil)
        #expect(try await connect([self.own.server.certificate]) == nil)
        #expect(try await connect([self.own.client.certificate])?.alert?.description == "certificate_revoked")
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `receives the alert for its revoked certificate, as a server`(version: String) async throws {
        let server = try await OpenSSLPeer.server(version, "-naccept", "1")
        let lists = try RevocationLists(.text(self.list(of: [self.own.server.certificate])))
        let tls = try TLSClientConfiguration(trust: self.own.trust.checkingRevocation(with: lists))
        let error = await #expect(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(to: "127.0.0.1", port: server.port, tls: tls)
        }
        #expect(error?.certificateProblem?.kind == .revoked)
        let outcome = await server.program.outcome()
        #expect(outcome.errors.contains("alert certificate revoked"), "\(outcome.errors)")
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `receives the alert for its revoked certificate, as a client`(version: String) async throws {
        let (certificate, key) = try self.clientOptions()
        let lists = try RevocationLists(.text(self.list(of: [self.own.client.certificate])))
        let tls = try TLSServerConfiguration(
            identity: self.own.serverIdentity,
            clients: .required(trust: self.own.trust.checkingRevocation(with: lists)))
        let listener = try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: tls)
        defer { listener.close() }
        let client = try await OpenSSLPeer.client(
            to: listener.localEndpoint.port, version, "-cert", certificate, "-key", key)
        let error = await #expect(throws: SecureSocketError.self) { _ = try await listener.accept() }
        #expect(error?.certificateProblem?.kind == .revoked)
        let outcome = await client.program.outcome()
        #expect((outcome.output + outcome.errors).contains("alert certificate revoked"), "\(outcome)")
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
