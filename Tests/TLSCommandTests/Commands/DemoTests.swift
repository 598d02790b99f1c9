import Foundation
import NIOCore
import SecureSockets
import Testing

@Suite(.timeLimit(.minutes(5))) struct `tls demo` {
    @Test func `shows a connection and a refusal, and exits with 0`() async throws {
        let outcome = try await Tool.run("demo")
        #expect(outcome.status == 0)
        #expect(outcome.errors == "")
        for part in [
            "TLS 1.3", "X25519MLKEM768", "server name  localhost", "which is trusted", "1048576 bytes",
            "certificateVerificationFailed",
            "handshake, peer", "unknown_ca", "Everything worked",
        ] {
            #expect(outcome.output.contains(part), "\(part) in \(outcome.output)")
        }
    }

    @Test func `with --json prints an object per line, in the order of events`() async throws {
        let outcome = try await Tool.run("demo", "--json")
        #expect(outcome.status == 0)
        let lines = try Line.all(outcome.output)
        #expect(
            lines.map(\.event) == [
                "certificates", "listening", "connected", "echoed", "echoed", "echoed", "closed", "refused", "done",
            ])
        let connected = try #require(lines.first { $0.event == "connected" })
        #expect(connected.version == "TLS 1.3")
        #expect(connected.certificates?.map(\.subject).first == "CN=localhost")
        let refused = try #require(lines.first { $0.event == "refused" })
        #expect(refused.error?.code == "certificateVerificationFailed")
        #expect(refused.serverSaw?.code == "alertReceived")
    }

    @Test func `with --stay serves a client that trusts its file, until a signal ends it with 0`() async throws {
        let tool = try Tool(["demo", "--stay"])
        let line = try #require(await tool.output.line(with: "tls connect"))
        _ = await tool.output.line(with: "Ctrl-C")
        let words = line.split(separator: " ").map(String.init)
        let address = try #require(words.dropFirst(2).first)
        let authority = try #require(words.dropFirst(4).first)

        let port = try #require(address.split(separator: ":").last.flatMap { Int($0) })
        let tls = try TLSClientConfiguration(trust: .only(.file(authority)), serverName: "localhost")
        let socket = try await SecureSocket.connect(to: "127.0.0.1", port: port, tls: tls)
        try await socket.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        var answer = ""
        for try await bytes in socket.incoming { answer += String(buffer: bytes) }
        socket.close()
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("server name  localhost"))

        tool.send(signal: SIGINT)
        let outcome = await tool.outcome()
        #expect(outcome.status == 0)
        #expect(!FileManager.default.fileExists(atPath: authority))
    }
}
