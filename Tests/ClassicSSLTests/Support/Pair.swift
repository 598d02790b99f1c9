import ClassicSSL
import NIOCore
import SocketCore
import Testing

@testable import SecureSockets

/// No call of a test waits longer than this, in milliseconds.
let patience: SSL.Timeout = 120_000

/// Both ends of a connection over loopback, and the listener it came by. All belong to the process of the caller.
struct Pair: Sendable {
    let listener: SSL.Socket
    let accepted: SSL.Socket
    let connected: SSL.Socket

    /// Connects; the listener has a certificate, and nothing is verified unless the options say so.
    init(listen: [SSL.Option] = [], connect: [SSL.Option] = []) async throws {
        let listener = try await Self.listener(listen)
        self.listener = listener
        async let accepted = SSL.accept(listener, patience)
        self.connected = try await SSL.connect("127.0.0.1", try SSL.port(listener), connect, patience)
        self.accepted = try await accepted
    }

    /// The same options at both ends.
    init(both options: [SSL.Option]) async throws {
        try await self.init(listen: options, connect: options)
    }

    static func listener(_ options: [SSL.Option] = []) async throws -> SSL.Socket {
        let hasCertificate = options.contains { if case .certfile = $0 { true } else { false } }
        let files = try CertificateFiles.shared
        return try await SSL.listen(0, options + [.ip("127.0.0.1")] + (hasCertificate ? [] : files.server))
    }

    /// Each end, and its peer.
    func ends(acceptedFirst: Bool) -> (near: SSL.Socket, far: SSL.Socket) {
        acceptedFirst ? (self.accepted, self.connected) : (self.connected, self.accepted)
    }
}

/// What became of a handshake at both ends: nil if it was completed and a byte has come through.
struct Meeting: Sendable {
    let server: SSL.Reason?
    let client: SSL.Reason?

    init(listen: [SSL.Option] = [], connect: [SSL.Option] = []) async throws {
        let outcomes = try await SSL.withProcess { _ in
            let listener = try await Pair.listener([.active(false)] + listen)
            async let server = reason {
                let socket = try await SSL.accept(listener, patience)
                try await SSL.send(socket, "!")
            }
            // With TLS 1.3 a client may be through before the server refuses it; its first `recv` tells (§6.3).
            let client = await reason {
                let socket = try await SSL.connect(
                    "127.0.0.1", try SSL.port(listener), [.active(false)] + connect, patience)
                _ = try await SSL.recv(socket, 0, patience)
            }
            return (await server, client)
        }
        (self.server, self.client) = outcomes
    }
}

/// Why something failed; nil if it did not.
func reason(_ body: () async throws -> Void) async -> SSL.Reason? {
    do {
        try await body()
        return nil
    } catch {
        return error as? SSL.Reason ?? .badinfo("\(error)")
    }
}

/// A message, in a form that can be compared.
enum Note: Hashable, Sendable {
    case bytes([UInt8])
    case binary([UInt8])
    case closed
    case error(SSL.Reason)
    case exit(SSL.Pid, SSL.ExitReason)
    case user

    static func text(_ text: String) -> Note { .bytes(Array(text.utf8)) }

    init(_ message: SSL.Message) {
        switch message {
        case .ssl(_, .bytes(let bytes)): self = .bytes(bytes)
        case .ssl(_, .binary(let buffer)): self = .binary(Array(buffer.readableBytesView))
        case .sslClosed: self = .closed
        case .sslError(_, let reason): self = .error(reason)
        case .exit(let pid, let reason): self = .exit(pid, reason)
        case .user: self = .user
        }
    }

    /// The next message of a socket.
    static func next(of socket: SSL.Socket, _ timeout: SSL.Timeout = patience) async throws -> Note {
        Note(try await SSL.receive(timeout) { $0.socket == socket })
    }
}

extension SSL.Message {
    var socket: SSL.Socket? {
        switch self {
        case .ssl(let socket, _), .sslClosed(let socket), .sslError(let socket, _): socket
        case .exit, .user: nil
        }
    }
}

extension SSL.Socket {
    /// What its connection says of itself.
    private func ask<Answer: Sendable>(
        _ question: @escaping @Sendable (Connection) -> Answer
    ) async throws -> Answer {
        let connection = try #require(self.secureSocket?.connection)
        return try await connection.wait(.receiving) { (waiter: Waiter<Answer>) in
            waiter.resume(.success(question(connection)))
        } forget: { _ in
            .failure(.cancelled(.receiving))
        }
    }

    /// How many calls of `recv` wait.
    func waitingReceives() async throws -> Int { try await self.ask { $0.receivers.count } }

    /// How many calls of `send` wait.
    func waitingSends() async throws -> Int { try await self.ask { $0.senders.count } }

    /// Whether it reads on from the network.
    func wantsToRead() async throws -> Bool { try await self.ask { $0.machine.wantsToRead($0.firstRequest) } }

    /// Has the operating system report an error while the connection reads.
    func fail(with number: Int32) async throws {
        try await self.ask { $0.transportBroke(IOError(errnoCode: number, reason: "read")) }
    }

    /// Waits until the connection has gone and its descriptor is free; then nothing can come any more.
    func waitUntilGone() async throws {
        try await self.secureSocket?.waitUntilClosed()
    }
}

/// Receives exactly so many bytes of a passive socket that gives lists.
func receive(_ count: Int, from socket: SSL.Socket) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count { bytes += try await SSL.recv(socket, 0, patience).array }
    return bytes
}

/// Bytes that do not repeat in any way that framing could hide.
func pattern(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8) }
    return bytes
}
