import Foundation
import NIOCore
import SecureSockets
import TestSupport
import Testing

@testable import TLSCommand

@Suite(.timeLimit(.minutes(5))) struct `tls serve and tls connect` {
    @Test func `certificates of tls certs dev carry a message there and back`() async throws {
        let folder = try TemporaryDirectory()
        let made = try await Tool.run("certs", "dev", folder.path, "--json")
        #expect(made.status == 0)
        #expect(try Line.one(made.output).event == "certificates")
        let server = try Tool([
            "serve", "0", "--cert", folder.path(of: "server.pem"), "--key", folder.path(of: "server-key.pem"),
        ])
        let ready = try #require(await server.output.line(with: "listening on"))
        let port = try #require(ready.firstMatch(of: #/:(\d+)(?:;| )/#)?.output.1)

        let client = try await Tool.run(
            "connect", "127.0.0.1:\(port)", "--ca", folder.path(of: "ca.pem"), "--info", input: "hello\nworld")
        #expect(client.status == 0)
        #expect(client.output == "hello\nworld")
        #expect(client.errors.contains("TLS 1.3"))

        server.send(signal: SIGINT)
        let outcome = await server.outcome()
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("11 bytes echoed"))
    }

    @Test func `a large input comes back whole`() async throws {
        let serving = try await Serving()
        let client = try Tool(["connect", serving.address, "--ca", serving.certificates.authority])
        let text = String(repeating: "0123456789abcdef", count: 1 << 16)
        // Not on this task: the pipe is smaller than the text, and the echo waits until it is read.
        let sending = Task.detached {
            try client.send(text)
            try client.endInput()
        }
        let outcome = await client.outcome()
        try await sending.value
        #expect(outcome.status == 0)
        #expect(outcome.output == text)
    }

    @Test(arguments: ["1", "2", "4"]) func `with --packet a line is a packet in both directions`(header: String) async throws {
        let serving = try await Serving(nil, "--packet", header)
        // The second would be answered as HTTP in a plain stream.
        let lines = "one\nGET / HTTP/1.1\n\nlast without newline"
        let outcome = try await serving.connect("--packet", header, input: lines)
        #expect(outcome.status == 0)
        #expect(outcome.output == lines + "\n")
    }

    @Test func `a line longer than a packet may be is refused, and the lines before it are delivered`() async throws {
        let serving = try await Serving(nil, "--packet", "1")
        let outcome = try await serving.connect("--packet", "1", input: "short\n" + String(repeating: "x", count: 256) + "\n")
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("longer than a packet may be, which is 255 bytes"))
        #expect(try await serving.log("ended").echoedBytes == 5)
    }

    @Test func `what the handshake has settled is told on both sides`() async throws {
        let certificates = try CertificateFiles()
        let serving = try await Serving(
            certificates, "--client-ca", certificates.authority, "--require-client-certificate", "--alpn", "echo,chat")
        let client = try Tool(
            ["connect", serving.address, "--ca", certificates.authority, "--alpn", "chat", "--info", "--json"]
                + certificates.client)
        try client.endInput()
        let outcome = await client.outcome()
        #expect(outcome.status == 0)
        let connected = try #require(try Line.all(outcome.errors).first)
        #expect(connected.event == "connected")
        #expect(connected.applicationProtocol == "chat")
        let accepted = try await serving.log("accepted")
        #expect(accepted.applicationProtocol == "chat")
        #expect(accepted.certificates?.first?.subject == "CN=Development client")
        #expect(accepted.cipher == connected.cipher)
    }

    @Test func `a client without the certificate that is required learns so`() async throws {
        let certificates = try CertificateFiles()
        let serving = try await Serving(certificates, "--client-ca", certificates.authority, "--require-client-certificate")
        let outcome = try await serving.connect()
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("certificate_required"))
        #expect(outcome.errors.contains("--cert FILE and --key FILE"))
        #expect(try await serving.log("handshakeFailed").error?.code == "protocolError")
    }

    @Test func `an HTTP request is answered, and its connection ends`() async throws {
        let serving = try await Serving()
        let outcome = try await serving.connect(input: "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(outcome.status == 0)
        let parts = outcome.output.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(parts.first?.contains("Content-Length: \(parts.last?.utf8.count ?? -1)") == true)
    }

    @Test func `an HTTP request is answered, whatever of its body is not read`() async throws {
        let serving = try await Serving()
        let client = try await SecureSocket.connect(
            to: "127.0.0.1", port: serving.port, tls: TLSClientConfiguration(trust: .only(.file(serving.certificates.authority))))
        try await client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(4 << 20)\r\n\r\n")
        try await client.send(ByteBuffer(repeating: UInt8(ascii: "x"), count: 4 << 20))
        var answer = ByteBuffer()
        for try await bytes in client.incoming { answer.writeImmutableBuffer(bytes) }
        #expect(String(buffer: answer).hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(String(buffer: answer).contains("This is an echo server over TLS"))
        client.close()
    }

    @Test func `a stream that only begins like HTTP is echoed`() async throws {
        let serving = try await Serving()
        let client = try Tool(["connect", serving.address, "--ca", serving.certificates.authority])
        try client.send("GET")
        // It comes back before the next line, or the end, is sent.
        try client.send("TING\n")
        #expect(await client.output.line(with: "GETTING") == "GETTING")
        try client.endInput()
        #expect(await client.outcome().status == 0)
    }

    @Test func `SIGHUP reads the files again, and bad files change nothing`() async throws {
        let folder = try TemporaryDirectory()
        #expect(try await Tool.run("certs", "dev", folder.path).status == 0)
        let (certificate, key) = (folder.path(of: "server.pem"), folder.path(of: "server-key.pem"))
        let server = try Tool(["serve", "0", "--cert", certificate, "--key", key])
        let ready = try #require(await server.output.line(with: "listening on"))
        let port = try #require(ready.firstMatch(of: #/:(\d+)(?:;| )/#)?.output.1)
        func connect(trusting authority: String) async throws -> Int32 {
            try await Tool.run("connect", "127.0.0.1:\(port)", "--ca", authority, input: "hello").status
        }
        #expect(try await connect(trusting: folder.path(of: "ca.pem")) == 0)

        // A certificate of another authority takes the place of the first.
        let other = try TemporaryDirectory()
        #expect(try await Tool.run("certs", "dev", other.path).status == 0)
        for (from, to) in [("server.pem", certificate), ("server-key.pem", key)] {
            try FileManager.default.removeItem(atPath: to)
            try FileManager.default.copyItem(atPath: other.path(of: from), toPath: to)
        }
        server.send(signal: SIGHUP)
        _ = try #require(await server.errors.line(with: "reloaded; new clients get the certificate"))
        #expect(try await connect(trusting: other.path(of: "ca.pem")) == 0)
        #expect(try await connect(trusting: folder.path(of: "ca.pem")) != 0)

        _ = try folder.write("no key", to: "server-key.pem")
        server.send(signal: SIGHUP)
        _ = try #require(await server.errors.line(with: "not reloaded"))
        #expect(try await connect(trusting: other.path(of: "ca.pem")) == 0)
        server.send(signal: SIGTERM)
        #expect(await server.outcome().status == 0)
    }

    @Test(arguments: [SIGINT, SIGTERM]) func `a signal ends a server with 0`(number: Int32) async throws {
        let serving = try await Serving()
        #expect(await serving.stop(number).status == 0)
    }

    @Test func `an open connection has its time to end, and is cut off after it`() async throws {
        let serving = try await Serving(nil, "--grace", "0")
        let client = try Tool(["connect", serving.address, "--ca", serving.certificates.authority])
        try client.send("hello\n")
        #expect(await client.output.line(with: "hello") == "hello")
        #expect(await serving.stop().status == 0)
        #expect(await client.outcome().status == 0)
    }

    @Test func `a second signal ends a server at once`() async throws {
        let serving = try await Serving(nil, "--grace", "3600")
        let client = try Tool(["connect", serving.address, "--ca", serving.certificates.authority])
        try client.send("hello\n")
        #expect(await client.output.line(with: "hello") == "hello")
        serving.tool.send(signal: SIGINT)
        _ = try await serving.log("stopping")
        #expect(await serving.stop().status == 128 + SIGINT)
    }
}
