import DevelopmentCertificates
import Foundation
import Logging
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// Which OCSP responses a server's identity takes, and when they are sent.
@Suite(.timeLimit(.minutes(5))) struct `An OCSP response for stapling` {
    private let server: StapledServer
    private let folder: TemporaryDirectory

    init() throws {
        self.server = try StapledServer()
        self.folder = try TemporaryDirectory()
    }

    private func message(_ response: [UInt8]) throws -> String {
        let path = try self.folder.write(response, to: "server.ocsp")
        let error = try #require(throws: SecureSocketError.self) {
            _ = try self.server.identity.stapling(ocspResponse: .file(path))
        }
        #expect(error.code == .certificateUnusable)
        #expect(error.blame == .configuration)
        #expect(error.step == .configuring)
        return error.description.replacing(self.folder.path, with: "FOLDER")
    }

    private static let place = "OCSP response FOLDER/server.ocsp: "

    @Test func `is loaded from a file or from bytes`() throws {
        let end = Date(timeIntervalSince1970: (Date().timeIntervalSince1970 + 5000).rounded())
        let response = try self.server.response { $0.entries[0].nextUpdate = end }
        let path = try self.folder.write(response, to: "server.ocsp")
        for source in [CredentialSource.file(path), .bytes(response)] {
            let identity = try self.server.identity.stapling(ocspResponse: source)
            #expect(identity.nextUpdateOfOCSPResponse == Int64(end.timeIntervalSince1970))
            #expect(identity.certificates == (try self.server.identity.certificates))
        }
        #expect(try self.server.identity.nextUpdateOfOCSPResponse == nil)
    }

    @Test func `is refused if clients would refuse it`() throws {
        let of = " (the certificate is CN=Server)"
        let outdated = try self.server.response { $0.entries[0].nextUpdate = .of2024 }
        #expect(
            try self.message(outdated)
                == "\(Self.place)is outdated (the next one was due on 2024-02-29 12:34:56 UTC)\(of). "
                + "Obtain a new one; if it looks current, check this machine's clock")
        let other = try StapledServer()
        #expect(
            try self.message(other.response())
                == "\(Self.place)is about other certificates, or identifies this one by a hash other than SHA-1 and SHA-256\(of). "
                + "Obtain a response for this certificate from the responder of its issuer")
        #expect(
            try self.message(self.server.response(.revoked(.of2024)))
                == "\(Self.place)says that the certificate is revoked\(of). Obtain a new certificate, with a new key")
        #expect(
            try self.message(OCSPResponseDraft.error(6))
                == "\(Self.place)is the responder's error unauthorized (6), not a status\(of). Obtain it again, later")
        #expect(try self.message(Array("text".utf8)).hasPrefix("\(Self.place)cannot be decoded\(of). Obtain it again, in DER"))
        #expect(try self.message([]).hasPrefix("\(Self.place)is empty"))
        #expect(
            try self.message(self.server.leaf.der)
                == "\(Self.place)is a certificate; an OCSP response in DER is expected. "
                + "Give the file that openssl ocsp -respout writes")
    }

    @Test func `has its signature verified if the issuer is in the chain`() throws {
        let forged = try self.server.response { $0.signingKey = try .p256() }
        _ = try self.server.identity.stapling(ocspResponse: .bytes(forged))
        let identity = try TLSIdentity(
            certificateChain: .text(self.server.leaf.pem + self.server.root.pem), privateKey: .text(self.server.leaf.key.pem))
        let error = try #require(throws: SecureSocketError.self) { _ = try identity.stapling(ocspResponse: .bytes(forged)) }
        #expect(error.description.contains("has a signature that is not its responder's"))
        _ = try identity.stapling(ocspResponse: .bytes(self.server.response()))
    }

    // MARK: Sending

    /// Returns the problem that a client has with a server whose certificate requires a response.
    private func problem(
        of version: TLSProtocolVersion, with server: TLSServerConfiguration, trusting root: IssuedCertificate
    ) async throws -> CertificateProblem.Kind? {
        let encounter = try await Encounter(
            of: TLSClientConfiguration(trust: .only(.text(root.pem)), parameters: .init(version)), with: server)
        if case .failure(let error) = encounter.client { return try #require(error.certificateProblem).kind }
        return nil
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is sent with each of several identities`(over version: TLSProtocolVersion) async throws {
        let server = try StapledServer(mustStaple: true)
        let plain = try server.identity
        let stapled = try plain.stapling(ocspResponse: .bytes(server.response()))
        let other = try CertificateAuthority.root().issue(commonName: "other", names: ["other"], key: .rsa2048)
        let named = ServerIdentity(for: ["other.example"], try TLSIdentity(other))
        func problem(_ identities: ServerIdentity...) async throws -> CertificateProblem.Kind? {
            try await self.problem(
                of: version, with: TLSServerConfiguration(identities: identities), trusting: server.root)
        }
        #expect(try await problem(ServerIdentity(stapled)) == nil)
        #expect(try await problem(ServerIdentity(stapled, TLSIdentity(other))) == nil)
        #expect(try await problem(ServerIdentity(stapled), named) == nil)
        #expect(try await problem(ServerIdentity(plain)) == .statusResponseMissing)
        #expect(try await problem(ServerIdentity(plain, TLSIdentity(other))) == .statusResponseMissing)
        let selected = try TLSServerConfiguration(identities: [named], selectIdentity: { _ in stapled })
        #expect(try await self.problem(of: version, with: selected, trusting: server.root) == nil)
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is not sent any more when its next update is due`(over version: TLSProtocolVersion) async throws {
        let server = try StapledServer(mustStaple: true)
        let outdated = TLSIdentity(try server.identity.identity.stapling(unchecked: server.response(), until: 1))
        let tls = try TLSServerConfiguration(identity: outdated)
        #expect(try await self.problem(of: version, with: tls, trusting: server.root) == .statusResponseMissing)
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is sent after an update of the listener`(over version: TLSProtocolVersion) async throws {
        let server = try StapledServer(mustStaple: true)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: server.identity))
        defer { listener.close() }
        let client = try TLSClientConfiguration(trust: server.trust, parameters: .init(version))
        func connect() async throws -> CertificateProblem.Kind? {
            async let accepted = try? listener.accept()
            do throws(SecureSocketError) {
                try await SecureSocket.connect(to: "127.0.0.1", port: listener.localEndpoint.port, tls: client).close()
                await accepted?.close()
                return nil
            } catch {
                await accepted?.close()
                return error.certificateProblem?.kind
            }
        }
        #expect(try await connect() == .statusResponseMissing)
        try await listener.update(
            tls: TLSServerConfiguration(identity: server.identity.stapling(ocspResponse: .bytes(server.response()))))
        #expect(try await connect() == nil)
    }

    // MARK: Files

    @Test func `is followed with the other files`() async throws {
        let chain = try self.folder.write(self.server.leaf.pem, to: "tls.crt")
        let key = try self.folder.write(self.server.leaf.key.pem, to: "tls.key")
        func write(_ time: TimeInterval) throws -> Int64 {
            let end = Date(timeIntervalSince1970: (Date().timeIntervalSince1970 + time).rounded())
            _ = try self.folder.write(self.server.response { $0.entries[0].nextUpdate = end }, to: "tls.ocsp")
            return Int64(end.timeIntervalSince1970)
        }
        let files = TLSFiles(
            certificateChain: chain, privateKey: key, ocspResponse: self.folder.path(of: "tls.ocsp"))
        #expect("\(files)".hasSuffix("tls.ocsp"))
        let log = LogCapture()
        let missing = try files.load(logger: log.logger)
        #expect(
            missing.problems.map(\.description).first?.hasPrefix("OCSP response \(self.folder.path)/tls.ocsp: cannot be read")
                == true)
        #expect(log.lines.map(\.level) == [.warning])
        #expect(log.lines.first?.text.contains("tls.ocsp: cannot be read") == true)

        let first = try write(5000)
        let snapshot = try files.load()
        #expect(snapshot.identity.nextUpdateOfOCSPResponse == first)
        var polling = FilesPolling(of: files, startingFrom: snapshot)
        var used: [Int64?] = []
        var events: [TLSFiles.Event.Kind] = []
        func poll(_ count: Int) async {
            for _ in 0..<count {
                _ = await polling.poll {
                    used.append($0.identity.nextUpdateOfOCSPResponse)
                } report: {
                    events.append($0.kind)
                }
            }
        }
        await poll(2)
        #expect(used.isEmpty && events.isEmpty)
        let second = try write(6000)
        await poll(2)
        #expect(used == [second])
        _ = try self.folder.write(self.server.response { $0.entries[0].nextUpdate = .of2024 }, to: "tls.ocsp")
        await poll(5)
        #expect(used == [second])
        // The certificate in use is the same, and its response stays until it is outdated.
        #expect(events == [.loaded, .retrying, .failed])
    }
}
