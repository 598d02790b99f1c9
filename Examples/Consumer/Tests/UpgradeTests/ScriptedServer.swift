import SecureSockets

/// The plain part of a server, step by step. Then it becomes secure, and echoes.
struct ScriptedServer: Sendable {
    /// What the server sends, and what it must receive.
    enum Step: Sendable {
        case send([UInt8])
        case receive([UInt8])

        static func send(_ text: String) -> Step { .send(Array(text.utf8)) }
        static func receive(_ text: String) -> Step { .receive(Array(text.utf8)) }
    }

    /// The client sent something else.
    struct Unexpected: Error {
        let received: ByteBuffer
    }

    /// No test waits longer than this for anything.
    static let patience = Duration.seconds(60)

    let steps: [Step]
    let tls: TLSServerConfiguration

    /// Plays the server's part over one connection, until the client has ended its stream.
    func serve(_ plain: PlainSocket) async throws {
        for step in self.steps {
            switch step {
            case .send(let bytes): try await plain.send(bytes)
            case .receive(let bytes):
                let received = try await plain.receive(exactly: bytes.count, timeout: Self.patience)
                guard received == ByteBuffer(bytes: bytes) else { throw Unexpected(received: received) }
            }
        }
        let socket = try await plain.upgrade(tls: self.tls, timeout: Self.patience)
        while let bytes = try await socket.receive(timeout: Self.patience) { try await socket.send(bytes) }
        socket.close()
    }

    /// The steps, with more bytes in the last thing that the server sends.
    func sending(also bytes: [UInt8]) -> ScriptedServer {
        var steps = self.steps
        for index in steps.indices.reversed() {
            if case .send(let sent) = steps[index] {
                steps[index] = .send(sent + bytes)
                break
            }
        }
        return ScriptedServer(steps: steps, tls: self.tls)
    }
}
