import HummingbirdCore
import HummingbirdSecureSockets
import PeerSupport
import SecureSockets
import SecureSocketsNIO
import SecureSocketsTesting
import Testing

/// Hummingbird on the channel handler, as curl sees it.
@Suite(.enabled(if: Program.curl != nil, "curl is not installed"), .timeLimit(.minutes(5)))
struct `Hummingbird on the channel handler, with curl` {
    private let server: WebServer

    init() throws { self.server = try WebServer() }

    private func curl(_ arguments: String..., authority: String? = nil) async throws -> Program.Outcome {
        let curl = try #require(Program.curl)
        return try await curl.run(
            [
                "--silent", "--show-error", "--noproxy", "*", "--max-time", "50", "--cacert",
                authority ?? self.server.authorityFile,
            ]
                + arguments)
    }

    @Test func `serves HTTP 1.1`() async throws {
        try await self.server.run(.secure(self.server.tls)) { port in
            let outcome = try await self.curl(
                "--http1.1", "--write-out", " %{http_version} %{ssl_verify_result}", "https://localhost:\(port)/tls")
            #expect(outcome.output == "http/1.1 localhost 1.1 0", "\(outcome.errors)")
        }
    }

    @Test(arguments: [
        ("--http2", "h2 localhost 2"), ("--http1.1", "http/1.1 localhost 1.1"), ("--no-alpn", "none localhost 1.1"),
    ])
    func `serves the version that ALPN selects`(option: String, expected: String) async throws {
        try await self.server.run(.secureHTTP2(self.server.tls)) { port in
            let outcome = try await self.curl(option, "--write-out", " %{http_version}", "https://localhost:\(port)/tls")
            #expect(outcome.output == expected, "\(outcome.errors)")
        }
    }

    @Test(arguments: ["--http1.1", "--http2"]) func `receives and sends large bodies`(version: String) async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(String(repeating: "y", count: 2_500_000), to: "body")
        try await self.server.run(.secureHTTP2(self.server.tls)) { port in
            let upload = try await self.curl(version, "--data-binary", "@\(file)", "https://localhost:\(port)/length")
            #expect(upload.output == "2500000", "\(upload.errors)")
            let download = try await self.curl(
                version, "--output", directory.path(of: "answer"), "--write-out", "%{size_download} %{exitcode}",
                "https://localhost:\(port)/large")
            #expect(download.output == "\(WebServer.largeLength) 0", "\(download.errors)")
        }
    }

    @Test func `uses a new certificate while it runs`() async throws {
        let other = try DevelopmentAuthority(commonName: "Other authority")
        let directory = try TemporaryDirectory()
        let otherFile = try directory.write(other.certificatePEM, to: "other.pem")
        try await self.server.run(.secureHTTP2(self.server.tls)) { port in
            let url = "https://localhost:\(port)/tls"
            #expect(try await self.curl(url).status == 0)
            #expect(try await self.curl(url, authority: otherFile).status == 60)

            try self.server.tls.update(WebServer.configuration(other.server()))
            #expect(try await self.curl(url, authority: otherFile).status == 0)
            // 60: the certificate could not be verified.
            #expect(try await self.curl(url).status == 60)
        }
    }

    @Test func `survives clients that fail`() async throws {
        try await self.server.run(.secureHTTP2(self.server.tls)) { port in
            let plain = try await self.curl("http://localhost:\(port)/")
            #expect(plain.status != 0)
            // 35: the handshake failed.
            let old = try await self.curl("--tls-max", "1.1", "https://localhost:\(port)/")
            #expect(old.status == 35)
            let good = try await self.curl("https://localhost:\(port)/tls")
            #expect(good.status == 0)
        }
    }

    @Test func `serves HTTP beside WebSocket`() async throws {
        try await self.server.run(.secure(self.server.tls) { WebSocketChannel(responder: $0) }) { port in
            let outcome = try await self.curl("--http1.1", "https://localhost:\(port)/tls")
            #expect(outcome.output == "http/1.1 localhost", "\(outcome.errors)")
        }
    }
}
