import DevelopmentCertificates
import Foundation
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

@testable import TLSCommand

/// The options of `tls serve` and `tls connect` for revocation, several identities, and which clients are admitted.
@Suite(.timeLimit(.minutes(5))) struct `tls serve and tls connect with a policy` {
    private let folder: TemporaryDirectory
    private let authority: DevelopmentAuthority

    init() throws {
        self.folder = try TemporaryDirectory()
        self.authority = try DevelopmentAuthority()
        _ = try self.folder.write(self.authority.certificatePEM, to: "ca.pem")
        try self.write(self.authority.server(), as: "server")
    }

    private var ca: String { self.folder.path(of: "ca.pem") }

    /// Writes the chain and the key into one file.
    private func write(_ identity: DevelopmentIdentity, as name: String) throws {
        _ = try self.folder.write(identity.certificateChainPEM + identity.privateKeyPEM, to: "\(name).pem")
    }

    private func pair(_ name: String) -> [String] {
        ["--cert", self.folder.path(of: "\(name).pem"), "--key", self.folder.path(of: "\(name).pem")]
    }

    /// A server that is ready.
    private func serve(_ options: String...) async throws -> (tool: Tool, address: String) {
        let tool = try Tool(["serve", "0", "--host", "127.0.0.1", "--json"] + self.pair("server") + options)
        guard let line = await tool.output.line(with: "listening") else {
            throw Serving.Unready(errors: await tool.errors.whole())
        }
        return (tool, "127.0.0.1:\(try #require(try Line.one(line).port))")
    }

    private func connect(_ address: String, _ options: [String]) async throws -> Tool.Outcome {
        let tool = try Tool(["connect", address, "--ca", self.ca] + options)
        try tool.send("hello")
        try tool.endInput()
        return await tool.outcome()
    }

    @Test func `refuse a revoked client after SIGHUP, and end its open connection`() async throws {
        let (good, bad) = (try self.authority.client(commonName: "good"), try self.authority.client(commonName: "bad"))
        try self.write(good, as: "good")
        try self.write(bad, as: "bad")
        let lists = try self.folder.makeFolder("crl")
        _ = try self.folder.write(self.authority.revocationList(of: []), to: "crl/list.pem")
        let server = try await self.serve(
            "--client-ca", self.ca, "--require-client-certificate", "--crl", lists, "--end-refused", "--grace", "0")
        #expect(try await self.connect(server.address, self.pair("good")).status == 0)
        #expect(try await self.connect(server.address, self.pair("bad")).status == 0)

        let open = try Tool(["connect", server.address, "--ca", self.ca, "--info"] + self.pair("bad"))
        _ = try #require(await open.errors.line(with: "connected to"))
        _ = try self.folder.write(self.authority.revocationList(of: [bad.certificate], number: 2), to: "crl/list.pem")
        server.tool.send(signal: SIGHUP)
        let ended = await open.outcome()
        #expect(ended.status == 1)
        #expect(ended.errors.contains("certificate_revoked"))
        #expect(try await self.connect(server.address, self.pair("bad")).errors.contains("certificate_revoked"))
        #expect(try await self.connect(server.address, self.pair("good")).output == "hello")
        server.tool.send(signal: SIGINT)
        #expect(await server.tool.outcome().status == 0)
    }

    @Test func `use what can be read after SIGHUP, and name the rest`() async throws {
        let bad = try self.authority.client(commonName: "bad")
        try self.write(bad, as: "bad")
        let list = try self.folder.write(self.authority.revocationList(of: []), to: "list.pem")
        let server = try await self.serve("--client-ca", self.ca, "--require-client-certificate", "--crl", list)
        #expect(try await self.connect(server.address, self.pair("bad")).status == 0)

        _ = try self.folder.write("junk", to: "server.pem")
        _ = try self.folder.write(self.authority.revocationList(of: [bad.certificate], number: 2), to: "list.pem")
        server.tool.send(signal: SIGHUP)
        let report = try #require(await server.tool.errors.line(with: "\"event\":\"reloaded\""))
        #expect(report.contains("server.pem"))
        #expect(try await self.connect(server.address, self.pair("bad")).errors.contains("certificate_revoked"))

        // A pipe is not read, and does not hold up the server.
        _ = try self.folder.write("", to: "list.pem")
        try FileManager.default.removeItem(atPath: self.folder.path(of: "server.pem"))
        try #require(mkfifo(self.folder.path(of: "server.pem"), 0o600) == 0)
        server.tool.send(signal: SIGHUP)
        let failure = try #require(await server.tool.errors.line(with: "\"event\":\"reloadFailed\""))
        #expect(failure.contains("server.pem"))
        server.tool.send(signal: SIGINT)
        #expect(await server.tool.outcome().status == 0)
    }

    @Test func `have several identities, and refuse unknown names`() async throws {
        try self.write(self.authority.server(names: ["a.example"]), as: "a")
        let server = try await self.serve("--identity", self.folder.path(of: "a.pem"), "--refuse-unknown-names")
        #expect(try await self.connect(server.address, ["--server-name", "a.example"]).output == "hello")
        #expect(try await self.connect(server.address, []).output == "hello")
        let refused = try await self.connect(server.address, ["--server-name", "b.example"])
        #expect(refused.status == 1)
        #expect(refused.errors.contains("unrecognized_name"))
        server.tool.send(signal: SIGINT)
        #expect(await server.tool.outcome().status == 0)
    }

    @Test func `admit clients by name or SPIFFE ID`() async throws {
        try self.write(self.authority.client(commonName: "1", names: ["worker.example"]), as: "named")
        try self.write(self.authority.client(commonName: "2", uris: ["spiffe://example.org/api/v1"]), as: "identified")
        try self.write(self.authority.client(commonName: "3", uris: ["spiffe://example.org/other"]), as: "other")
        let server = try await self.serve(
            "--client-ca", self.ca, "--allow-name", "worker.example", "--allow-spiffe", "spiffe://example.org/api/*")
        for (name, isAdmitted) in [("named", true), ("identified", true), ("other", false)] {
            let outcome = try await self.connect(server.address, self.pair(name))
            #expect((outcome.status == 0) == isAdmitted, "\(name): \(outcome.errors)")
        }
        // Without a certificate there is no name.
        #expect(try await self.connect(server.address, []).errors.contains("certificate_required"))
        server.tool.send(signal: SIGINT)
        #expect(await server.tool.outcome().status == 0)
    }

    @Test func `send an OCSP response, and refuse a server that a list revokes`() async throws {
        let stapled = try StapledServer(mustStaple: true)
        _ = try self.folder.write(stapled.leaf.pem + stapled.leaf.key.pem, to: "server.pem")
        _ = try self.folder.write(stapled.root.pem, to: "ca.pem")
        let server = try await self.serve("--ocsp", self.folder.write(stapled.response(), to: "server.ocsp"))
        #expect(try await self.connect(server.address, []).output == "hello")
        server.tool.send(signal: SIGINT)
        #expect(await server.tool.outcome().status == 0)

        let own = try self.authority.server()
        _ = try self.folder.write(self.authority.certificatePEM, to: "ca.pem")
        try self.write(own, as: "server")
        let other = try await self.serve()
        let list = try self.folder.write(self.authority.revocationList(of: [own.certificate]), to: "list.pem")
        let refused = try await self.connect(other.address, ["--crl", list])
        #expect(refused.status == 1)
        #expect(refused.errors.contains("revoked"))
        other.tool.send(signal: SIGINT)
        #expect(await other.tool.outcome().status == 0)
    }
}
