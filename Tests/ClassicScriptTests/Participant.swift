import ClassicSSL
import NIOCore
import SecureSockets
import Testing

/// An acceptor or a connector at work: the interpreter of its commands.
struct Participant {
    private let role: Payload.Sender
    private let options: [SSL.Option]
    private let listener: SSL.Socket
    private let listenerOwner: SSL.Process
    private var connection: Connection?

    /// A connection and what both ends were to send on it.
    private struct Connection {
        let socket: SSL.Socket
        let own: Payload
        let peers: Payload
        var sent = 0
        var received = 0
        /// Came in the same chunk as what was asked for.
        var ahead = ByteBuffer()
    }

    /// Waits for the listener, runs the commands, and sees that no message is left over.
    static func play(_ commands: [Command], as role: Payload.Sender, options: [SSL.Option]) async throws {
        guard case .listening(let listener, let owner) = try await Note.await(.listening) else { return }
        defer { owner.send(Note.done) }
        var participant = Participant(role: role, options: options, listener: listener, listenerOwner: owner)
        for command in commands { try await participant.perform(command) }
        #expect(SSL.Process.current.messageCount == 0)
    }

    private init(role: Payload.Sender, options: [SSL.Option], listener: SSL.Socket, listenerOwner: SSL.Process) {
        self.role = role
        self.options = options
        self.listener = listener
        self.listenerOwner = listenerOwner
    }

    private var isActive: Bool { !self.options.contains(.active(false)) }
    private var isBinary: Bool { self.options.contains(.binary) }
    private var isFramed: Bool { [1, 2, 4].contains { self.options.contains(.packet($0)) } }

    private mutating func perform(_ command: Command) async throws {
        switch command {
        case .accept:
            let socket = try await SSL.accept(self.listener, .patience)
            self.listenerOwner.send(Note.accepted)
            try self.begin(socket, clientPort: SSL.peername(socket).port)
        case .connect:
            let socket = try await SSL.connect(.ipv4(127, 0, 0, 1), SSL.port(self.listener), self.options, .patience)
            try self.begin(socket, clientPort: SSL.port(socket))
        case .send(let count): try await self.send(count)
        case .receive(let count): try await self.receive(count, sentBack: false)
        case .receiveBack(let count): try await self.receive(count, sentBack: true)
        case .echo(let count): try await self.echo(count)
        case .expectClosed: try await self.expectClosed()
        case .close: try await self.close()
        case .listen, .awaitAccepted, .awaitOthers: Issue.record("only a listener can do this: \(command)")
        }
    }

    private mutating func begin(_ socket: SSL.Socket, clientPort: Int) {
        self.connection = Connection(
            socket: socket,
            own: Payload(from: self.role, clientPort: clientPort),
            peers: Payload(from: self.role == .acceptor ? .connector : .acceptor, clientPort: clientPort))
    }

    // MARK: Commands

    private mutating func send(_ count: Int) async throws {
        var connection = try #require(self.connection)
        let bytes = connection.own.bytes(from: connection.sent, count: count)
        try await SSL.send(connection.socket, self.isBinary ? .binary(bytes) : .bytes(Array(bytes.readableBytesView)))
        connection.sent += count
        self.connection = connection
    }

    private mutating func receive(_ count: Int, sentBack: Bool) async throws {
        let bytes = try await self.next(count)
        var connection = try #require(self.connection)
        let expected = (sentBack ? connection.own : connection.peers).bytes(from: connection.received, count: count)
        #expect(bytes == expected, "of \(count) bytes, \(bytes.readableBytes) came or some differ")
        connection.received += count
        self.connection = connection
    }

    private mutating func echo(_ count: Int) async throws {
        var remaining = count
        while remaining > 0 {
            let connection = try #require(self.connection)
            let bytes = try await self.chunk()
            remaining -= bytes.array.count
            try await SSL.send(connection.socket, bytes)
        }
        #expect(remaining == 0, "more came than was to be sent back")
    }

    private func expectClosed() async throws {
        let connection = try #require(self.connection)
        #expect(connection.ahead.readableBytes == 0)
        if self.isActive {
            let message = try await SSL.receive(.patience)
            guard case .sslClosed(connection.socket) = message else {
                Issue.record("\(message) instead of the end")
                return
            }
        } else {
            // Every time, and never by message.
            for _ in 1...2 { await #expect(throws: SSL.Reason.closed) { try await SSL.recv(connection.socket, 0, .patience) } }
        }
        await #expect(throws: SSL.Reason.closed) { try await SSL.send(connection.socket, "too late") }
        // The connection has gone, but the socket is there until it is closed.
        #expect(throws: Never.self) { try SSL.peername(connection.socket) }
    }

    private func close() async throws {
        let socket = try #require(self.connection).socket
        SSL.close(socket)
        await #expect(throws: SSL.Reason.closed) { try await SSL.send(socket, "too late") }
        // When everything is over, nothing more can come.
        try await socket.secureSocket?.waitUntilClosed()
        #expect(SSL.Process.current.messageCount == 0)
    }

    // MARK: What comes

    /// So many bytes of a stream, or one packet.
    private mutating func next(_ count: Int) async throws -> ByteBuffer {
        if self.isFramed { return ByteBuffer(bytes: try await self.chunk().array) }
        guard var connection = self.connection else { throw SSL.Reason.closed }
        if !self.isActive, !self.isBinary, connection.ahead.readableBytes == 0, count > 0 {
            return ByteBuffer(bytes: try await SSL.recv(connection.socket, count, .patience).array)
        }
        while connection.ahead.readableBytes < count {
            connection.ahead.writeBytes(try await self.chunk().array)
        }
        let bytes = connection.ahead.readSlice(length: count)
        self.connection = connection
        return try #require(bytes)
    }

    /// What comes next, and in the form that was asked for.
    private func chunk() async throws -> SSL.Bytes {
        let socket = try #require(self.connection).socket
        let bytes: SSL.Bytes
        if self.isActive {
            let message = try await SSL.receive(.patience)
            guard case .ssl(socket, let data) = message else {
                Issue.record("\(message) instead of data")
                throw SSL.Reason.closed
            }
            bytes = data
        } else {
            bytes = try await SSL.recv(socket, 0, .patience)
        }
        switch bytes {
        case .binary: #expect(self.isBinary)
        case .bytes: #expect(!self.isBinary)
        }
        #expect(self.isFramed || !bytes.array.isEmpty, "a chunk is never empty")
        return bytes
    }
}
