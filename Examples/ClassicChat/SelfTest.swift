import ClassicSSL
import DevelopmentCertificates
import Foundation

/// A conversation of three clients with the server, over real TLS with newly made certificates.
enum SelfTest {
    static func run() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("classic-chat-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try DevelopmentCertificates.write(to: folder)

        let listener = try await ChatServer.listen(
            0, certfile: "\(folder)/server.pem", keyfile: "\(folder)/server-key.pem")
        let server = SSL.spawn { try await ChatServer.serve(listener) }

        let port = try SSL.port(listener)
        let alice = try await Client("alice", port, cacertfile: "\(folder)/ca.pem")
        try await alice.hears("* 1 here")
        let bob = try await Client("bob", port, cacertfile: "\(folder)/ca.pem")
        try await bob.hears("* 2 here")
        try await alice.hears("* bob is here")
        let carol = try await Client("carol", port, cacertfile: "\(folder)/ca.pem")
        try await carol.hears("* 3 here")
        try await alice.hears("* carol is here")
        try await bob.hears("* carol is here")

        try await alice.says("hello, both of you")
        try await bob.hears("alice: hello, both of you")
        try await carol.hears("alice: hello, both of you")
        try await bob.says("")
        try await alice.hears("bob: ")
        try await carol.hears("bob: ")
        try await carol.says(String(repeating: "long ", count: 20_000))
        try await alice.hears("carol: " + String(repeating: "long ", count: 20_000))
        try await bob.hears("carol: " + String(repeating: "long ", count: 20_000))

        bob.leaves()
        try await alice.hears("* bob has left")
        try await carol.hears("* bob has left")

        SSL.close(listener)
        try await server.task.value
        alice.leaves()
        carol.leaves()
        print("the chat works")
    }

    /// A client with a passive socket, so that the test can wait for each step of the conversation.
    private struct Client {
        let name: String
        let socket: SSL.Socket

        init(_ name: String, _ port: Int, cacertfile: String) async throws {
            self.name = name
            self.socket = try await SSL.connect(
                "localhost", port, [.packet(4), .active(false), .verify(2), .cacertfile(cacertfile)], 10_000)
            try await self.says(name)
        }

        func says(_ line: String) async throws {
            try await SSL.send(self.socket, .text(line))
        }

        func hears(_ line: String) async throws {
            let heard = try await SSL.recv(self.socket, 0, 10_000).text
            print("\(self.name) < \(heard.prefix(60))")
            guard heard == line else { throw Surprise(name: self.name, heard: heard, expected: line) }
        }

        func leaves() { SSL.close(self.socket) }
    }

    private struct Surprise: Error {
        let name: String
        let heard: String
        let expected: String
    }
}
