import DevelopmentCertificates
import SecureSockets
import TestSupport
import Testing

/// What the tool says of connections that its peer refused or spoiled.
@Suite(.timeLimit(.minutes(5))) struct `Messages about peers` {
    private let folder: TemporaryDirectory
    private let authority: String

    init() throws {
        self.folder = try TemporaryDirectory()
        self.authority = try self.folder.write(TestCertificates.shared.get().authority.certificatePEM, to: "ca.pem")
    }

    /// `tls connect` to a server on 127.0.0.1 with a certificate of the test authority.
    private func connect(to port: Int, _ options: [String] = []) throws -> Tool {
        try Tool(["connect", "127.0.0.1:\(port)", "--ca", self.authority] + options)
    }

    /// Expects the tool to end with this message, in which SERVER stands for the address.
    private func expect(_ tool: Tool, _ text: String, port: Int, sourceLocation: SourceLocation = #_sourceLocation) async {
        let outcome = await tool.outcome()
        #expect(outcome.status == 1, sourceLocation: sourceLocation)
        #expect(
            outcome.errors.split(separator: "\n").last.map { $0.replacing("127.0.0.1:\(port)", with: "SERVER") }
                == "tls: \(text)",
            sourceLocation: sourceLocation)
    }

    // MARK: Renegotiation

    @Test(.enabled(if: Program.openssl != nil, "OpenSSL 3 is not installed"))
    func `a server that asks to renegotiate`() async throws {
        let server = try await OpenSSLPeer.server("-tls1_2")
        let tool = try self.connect(to: server.port, ["--info"])
        _ = await tool.errors.line(with: "connected to")
        try await server.program.send("r\n")
        await self.expect(
            tool,
            "SERVER: it asked to renegotiate, which is refused here. If the server does this to ask for a client certificate, have it "
                + "ask in the first handshake.", port: server.port)
    }

    @Test(.enabled(if: Program.openssl != nil, "OpenSSL 3 is not installed"))
    func `a client that asks to renegotiate`() async throws {
        let serving = try await Serving()
        let client = try await OpenSSLPeer.client(to: serving.port, "-tls1_2")
        _ = try await serving.log("accepted")
        try await client.program.send("R\n")
        let error = try #require(try await serving.log("ended").error)
        #expect(error.message.hasSuffix(": it asked to renegotiate, which is refused here"))
        #expect(error.advice == "Turn off renegotiation in the client; TLS 1.3 does not have it")
    }
}
