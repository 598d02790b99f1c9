import ClassicSSL
import Foundation

/// The program: `ClassicChat PORT CERTFILE KEYFILE` serves a chat, and `ClassicChat --self-test` runs one by itself and exits.
@main struct ClassicChat {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments == ["--self-test"] {
            try await SelfTest.run()
        } else if arguments.count == 3, let port = Int(arguments[0]) {
            await Self.serve(port, certfile: arguments[1], keyfile: arguments[2])
        } else {
            Self.complain("usage: ClassicChat PORT CERTFILE KEYFILE | ClassicChat --self-test")
            exit(64)
        }
    }

    private static func serve(_ port: Int, certfile: String, keyfile: String) async {
        do {
            let listener = try await ChatServer.listen(port, certfile: certfile, keyfile: keyfile)
            print("a chat at port \(try SSL.port(listener))")
            try await ChatServer.serve(listener)
        } catch {
            Self.complain("ClassicChat: \(SSL.formatError(error))")
            exit(1)
        }
    }

    private static func complain(_ message: String) {
        FileHandle.standardError.write(Data("\(message)\n".utf8))
    }
}
