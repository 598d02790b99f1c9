import Foundation
import HummingbirdCore
import HummingbirdSecureSockets
import PeerSupport
import SecureSockets
import SecureSocketsNIO
import SecureSocketsTesting
import Testing

/// Hummingbird on the channel handler, as a browser sees it.
@Suite(.enabled(if: Program.chromium != nil, "Chromium is not installed"), .serialized, .timeLimit(.minutes(5)))
struct `Hummingbird on the channel handler, with Chromium` {
    /// Loads the page, whose script has a request and a WebSocket of its own.
    ///
    /// - Parameter screenshot: The name of an attachment with what the browser shows (`swift test --attachments-path FOLDER`), for a page
    ///   that is expected to load.
    /// - Returns: The document.
    private func load(_ port: Int, trusting key: String?, screenshot: String? = nil) async throws -> String {
        let directory = try TemporaryDirectory()
        let chromium = try #require(Program.chromium)
        var arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
            "--user-data-dir=\(directory.path(of: "profile"))",
            // The document is written when requests have ended and the time has passed, which is virtual.
            "--virtual-time-budget=10000", "--dump-dom",
        ]
        if let screenshot {
            arguments += ["--window-size=800,500", "--screenshot=\(directory.path(of: screenshot))"]
        }
        if let key { arguments.append("--ignore-certificate-errors-spki-list=\(key)") }
        let outcome = try await chromium.run(
            arguments + ["https://localhost:\(port)/"], environment: ["HOME": directory.path], limit: 100)
        if let screenshot {
            let image = try Data(contentsOf: URL(fileURLWithPath: directory.path(of: screenshot)))
            Attachment.record(image, named: screenshot)
        }
        return outcome.output
    }

    /// The SHA-256 digest of a certificate's public key in Base64, which is how Chromium names keys.
    private func keyDigest(of identity: DevelopmentIdentity) async throws -> String {
        let directory = try TemporaryDirectory()
        let openssl = try #require(Program("openssl"))
        let certificate = try directory.write(identity.certificateChainPEM, to: "certificate.pem")
        let key = try directory.write(
            try await openssl.run(["x509", "-in", certificate, "-pubkey", "-noout"]).output, to: "key.pem")
        let (der, digest) = (directory.path(of: "key.der"), directory.path(of: "digest"))
        _ = try await openssl.run(["pkey", "-pubin", "-in", key, "-outform", "DER", "-out", der])
        _ = try await openssl.run(["dgst", "-sha256", "-binary", "-out", digest, der])
        return try Data(contentsOf: URL(fileURLWithPath: digest)).base64EncodedString()
    }

    @Test func `shows a page over HTTP 2`() async throws {
        let server = try WebServer()
        let identity = try server.authority.server()
        try server.tls.update(WebServer.configuration(identity))
        let key = try await self.keyDigest(of: identity)
        try await server.run(.secureHTTP2(server.tls)) { port in
            let document = try await self.load(port, trusting: key, screenshot: "http2.png")
            #expect(document.contains("HTTP: h2 localhost"), "\(document)")
            #expect(document.contains("<td>TLS 1.3</td>"), "\(document)")
        }
    }

    @Test func `exchanges messages over WebSocket`() async throws {
        let server = try WebServer()
        let identity = try server.authority.server()
        var parameters = TLSParameters()
        parameters.applicationProtocols = ["http/1.1"]
        try server.tls.update(TLSServerConfiguration(identity: identity.identity, parameters: parameters))
        let key = try await self.keyDigest(of: identity)
        try await server.run(.secure(server.tls) { WebSocketChannel(responder: $0) }) { port in
            let document = try await self.load(port, trusting: key, screenshot: "websocket.png")
            #expect(document.contains("HTTP: http/1.1 localhost"), "\(document)")
            #expect(document.contains("WebSocket: hello"), "\(document)")
        }
    }

    @Test func `is refused without trust`() async throws {
        let server = try WebServer()
        try await server.run(.secureHTTP2(server.tls)) { port in
            let document = try await self.load(port, trusting: nil)
            #expect(!document.contains("HTTP: "))
        }
    }
}
