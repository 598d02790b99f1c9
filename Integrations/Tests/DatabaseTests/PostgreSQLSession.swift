import NIOCore
import SecureSockets

/// A session with a PostgreSQL server: the client's part of its protocol 3.0, as far as the tests use it.
///
/// A message is a byte for its kind, four bytes for its length with themselves, and its content.
struct PostgreSQLSession {
    let socket: StreamSocket

    private static let patience: Duration = .seconds(60)
    /// The maximum length of a message that is accepted.
    private static let maximumLength = 1 << 20

    // MARK: Beginning and end

    /// Asks for TLS (SSLRequest).
    ///
    /// - Returns: Whether the server agrees, so that the handshake follows. If it does not, a plain session can begin.
    static func requestTLS(on socket: PlainSocket) async throws -> Bool {
        var request = ByteBuffer(integer: UInt32(8))
        request.writeInteger(UInt32(80_877_103))
        try await socket.send(request, timeout: Self.patience)
        let answer = try await socket.receive(exactly: 1, timeout: Self.patience)
        switch String(buffer: answer) {
        case "S": return true
        case "N": return false
        default: throw PostgreSQLError.unexpected("the answer \(answer) to an SSLRequest")
        }
    }

    /// Begins a session with the database `postgres`, without a password.
    ///
    /// - Throws: ``PostgreSQLError`` if the server refuses the user.
    init(on socket: StreamSocket, user: String) async throws {
        self.socket = socket
        var content = ByteBuffer(integer: UInt32(3 << 16))
        for text in ["user", user, "database", "postgres", ""] { content.writeNullTerminatedString(text) }
        var startup = ByteBuffer(integer: UInt32(4 + content.readableBytes))
        startup.writeImmutableBuffer(content)
        try await socket.send(startup, timeout: Self.patience)
        while true {
            var message = try await self.receive()
            switch message.kind {
            case "R":
                let method = message.content.readInteger(as: UInt32.self)
                guard method == 0 else {
                    throw PostgreSQLError.unexpected("a request for the authentication method \(method ?? 0)")
                }
            case "E": throw PostgreSQLError(message.content)
            case "Z": return
            default: continue  // The server's settings, and the key for cancelling.
            }
        }
    }

    /// Ends the session, and waits until the server has ended the stream.
    ///
    /// - Throws: If the server ends it in another way, over TLS without `close_notify`.
    func terminate() async throws {
        try await self.send("X", ByteBuffer())
        if let bytes = try await self.socket.receive(timeout: Self.patience) {
            throw PostgreSQLError.unexpected("\(bytes.readableBytes) bytes after the end of the session")
        }
        self.socket.close()
    }

    // MARK: Commands

    /// Runs a statement and returns its rows as text; nil stands for a null value.
    func query(_ statement: String) async throws -> [[String?]] {
        var rows: [[String?]] = []
        try await self.run(statement) { message in
            if message.kind == "D" { rows.append(try Self.row(message.content)) }
        }
        return rows
    }

    /// Runs a `COPY … TO STDOUT` and returns the data.
    func copyOut(_ statement: String) async throws -> ByteBuffer {
        var data = ByteBuffer()
        try await self.run(statement) { message in
            if message.kind == "d" { data.writeImmutableBuffer(message.content) }
        }
        return data
    }

    /// Runs a `COPY … FROM STDIN` with the data, in messages of 64 KiB at most.
    func copyIn(_ statement: String, _ data: ByteBuffer) async throws {
        try await self.run(statement) { message in
            guard message.kind == "G" else { return }
            var rest = data
            while let part = rest.readSlice(length: min(rest.readableBytes, 65_536)), part.readableBytes > 0 {
                try await self.send("d", part)
            }
            try await self.send("c", ByteBuffer())
        }
    }

    /// Runs a statement (simple query), up to the message that announces that the server is ready for another one.
    ///
    /// - Throws: ``PostgreSQLError`` if the server reports an error. The session can be used after it.
    private func run(_ statement: String, _ handle: (Message) async throws -> Void) async throws {
        var text = ByteBuffer()
        text.writeNullTerminatedString(statement)
        try await self.send("Q", text)
        var failure: PostgreSQLError?
        while true {
            let message = try await self.receive()
            switch message.kind {
            case "E": failure = PostgreSQLError(message.content)
            case "Z":
                if let failure { throw failure }
                return
            default: try await handle(message)
            }
        }
    }

    private static func row(_ content: ByteBuffer) throws -> [String?] {
        var content = content
        guard let count = content.readInteger(as: UInt16.self) else { throw PostgreSQLError.unexpected("a row without a length") }
        return try (0..<count).map { _ in
            guard let length = content.readInteger(as: Int32.self) else { throw PostgreSQLError.unexpected("a short row") }
            if length == -1 { return nil }
            guard length >= 0, let value = content.readString(length: Int(length)) else {
                throw PostgreSQLError.unexpected("a value of \(length) bytes in a short row")
            }
            return value
        }
    }

    // MARK: Messages

    private struct Message {
        let kind: String
        var content: ByteBuffer
    }

    private func receive() async throws -> Message {
        var head = try await self.socket.receive(exactly: 5, timeout: Self.patience)
        guard let kind = head.readString(length: 1), let length = head.readInteger(as: UInt32.self),
            (4...Self.maximumLength).contains(Int(length))
        else { throw PostgreSQLError.unexpected("a message that begins with \(head)") }
        return Message(kind: kind, content: try await self.socket.receive(exactly: Int(length) - 4, timeout: Self.patience))
    }

    private func send(_ kind: String, _ content: ByteBuffer) async throws {
        var message = ByteBuffer(string: kind)
        message.writeInteger(UInt32(4 + content.readableBytes))
        message.writeImmutableBuffer(content)
        try await self.socket.send(message, timeout: Self.patience)
    }
}

/// An error that a PostgreSQL server reports, or that prevents a session with it.
struct PostgreSQLError: Error, CustomStringConvertible {
    /// The SQLSTATE code; empty if the server did not report the error.
    let code: String
    let message: String

    var description: String { self.code.isEmpty ? self.message : "PostgreSQL: \(self.message) (\(self.code))" }

    /// Reads an ErrorResponse: fields of a byte for their kind and a text, and a zero.
    fileprivate init(_ content: ByteBuffer) {
        var (content, fields) = (content, [UInt8: String]())
        while let kind = content.readInteger(as: UInt8.self), kind != 0, let text = content.readNullTerminatedString() {
            fields[kind] = text
        }
        self.code = fields[UInt8(ascii: "C")] ?? ""
        self.message = fields[UInt8(ascii: "M")] ?? ""
    }

    private init(_ message: String) {
        self.code = ""
        self.message = message
    }

    static let noTLS = PostgreSQLError("The server has no TLS")

    static func unexpected(_ what: String) -> PostgreSQLError {
        PostgreSQLError("The server violates the protocol of PostgreSQL, or uses a part that the tests do not have: \(what)")
    }
}
