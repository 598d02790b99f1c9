import ClassicSSL

/// `ClassicChat PORT CERTFILE KEYFILE` serves a chat; `ClassicChat --self-test` plays one by itself and ends.
@main struct ClassicChat {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments == ["--self-test"] { return try await SelfTest.run() }
        guard arguments.count == 3, let port = Int(arguments[0]) else {
            print("usage: ClassicChat PORT CERTFILE KEYFILE | ClassicChat --self-test")
            throw SSL.Reason.einval
        }
        let listener = try await ChatServer.listen(port, certfile: arguments[1], keyfile: arguments[2])
        print("a chat at port \(try SSL.port(listener))")
        try await ChatServer.serve(listener)
    }
}
