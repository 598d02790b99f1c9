import NIOCore
import SecureSockets

/// A value of the protocol RESP 2, with which Redis answers.
enum RedisValue: Hashable {
    case status(String)
    case error(String)
    case integer(Int)
    case bytes(ByteBuffer)
    case null
    case array([RedisValue])

    static func text(_ text: String) -> RedisValue { .bytes(ByteBuffer(string: text)) }
}

/// A session with a Redis server: commands and answers in RESP 2.
struct RedisSession {
    let socket: StreamSocket

    private static let patience: Duration = .seconds(60)
    private static let maximumLength = 16 << 20
    private static let maximumCount = 1000

    /// Sends a command and returns the answer.
    func call(_ command: String, _ arguments: ByteBuffer...) async throws -> RedisValue {
        try await self.send([Self.encode([ByteBuffer(string: command)] + arguments)])
        return try await self.receive()
    }

    /// Sends all commands, whose words are separated by spaces, and receives the answers after that.
    func pipeline(_ commands: [String]) async throws -> [RedisValue] {
        try await self.send(commands.map { Self.encode($0.split(separator: " ").map { ByteBuffer(substring: $0) }) })
        var answers: [RedisValue] = []
        for _ in commands { answers.append(try await self.receive()) }
        return answers
    }

    /// Ends the session, and waits until the server has ended the stream.
    func quit() async throws {
        guard try await self.call("QUIT") == .status("OK") else { throw RedisFailure(description: "QUIT was refused") }
        if let bytes = try await self.socket.receive(timeout: Self.patience) {
            throw RedisFailure(description: "\(bytes.readableBytes) bytes arrived after the end of the session")
        }
        self.socket.close()
    }

    private func send(_ commands: [ByteBuffer]) async throws {
        var bytes = ByteBuffer()
        for command in commands { bytes.writeImmutableBuffer(command) }
        try await self.socket.send(bytes, timeout: Self.patience)
    }

    /// A command is an array of byte strings.
    private static func encode(_ words: [ByteBuffer]) -> ByteBuffer {
        var bytes = ByteBuffer(string: "*\(words.count)\r\n")
        for word in words {
            bytes.writeString("$\(word.readableBytes)\r\n")
            bytes.writeImmutableBuffer(word)
            bytes.writeString("\r\n")
        }
        return bytes
    }

    /// Receives a value.
    ///
    /// - Parameter depth: How deeply arrays may be nested.
    func receive(depth: Int = 4) async throws -> RedisValue {
        guard let line = try await self.socket.receiveLine(timeout: Self.patience).map({ String(buffer: $0) }) else {
            throw RedisFailure(description: "The server ended the stream before an answer")
        }
        let rest = String(line.dropFirst())
        switch line.first {
        case "+": return .status(rest)
        case "-": return .error(rest)
        case ":":
            if let number = Int(rest) { return .integer(number) }
        case "$":
            if rest == "-1" { return .null }
            if let length = Int(rest), (0...Self.maximumLength).contains(length) {
                let bytes = try await self.socket.receive(exactly: length, timeout: Self.patience)
                let end = try await self.socket.receive(exactly: 2, timeout: Self.patience)
                if end == ByteBuffer(string: "\r\n") { return .bytes(bytes) }
            }
        case "*":
            if rest == "-1" { return .null }
            if let count = Int(rest), (0...Self.maximumCount).contains(count), depth > 0 {
                var values: [RedisValue] = []
                for _ in 0..<count { values.append(try await self.receive(depth: depth - 1)) }
                return .array(values)
            }
        default: break
        }
        throw RedisFailure(description: "The server violates RESP, or exceeds the tests' limits: \(line)")
    }
}

/// A violation of the protocol.
struct RedisFailure: Error, CustomStringConvertible {
    let description: String
}
