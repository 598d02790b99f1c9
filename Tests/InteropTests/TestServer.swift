import NIOCore
import SecureSockets
import Synchronization
import TestSupport

/// What a server has met with.
struct Encountered: Sendable {
    var sockets: [ConnectionInformation] = []
    var failures: [SecureSocketError] = []
    var requests = 0
}

/// A listener of ours on a free port, and what it has met with.
final class TestServer: Sendable {
    private let listener: SecureListener
    private let serving: Task<Void, any Error>
    private let encountered: Box

    fileprivate final class Box: Sendable {
        let value = Mutex(Encountered())
    }

    init(
        _ identity: TLSIdentity, clients: TLSTrust?, protocols: [String],
        _ handler: @escaping @Sendable (SecureSocket) async throws -> Bool
    ) async throws {
        var parameters = TLSParameters()
        parameters.applicationProtocols = protocols
        let tls = try TLSServerConfiguration(
            identity: identity, clients: clients.map { .required(trust: $0) } ?? .none, parameters: parameters)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: .patient)
        let encountered = Box()
        self.listener = listener
        self.encountered = encountered
        self.serving = Task {
            try await listener.serve(handshakeFailed: { error, _ in encountered.value.withLock { $0.failures.append(error) } }) {
                socket in
                encountered.value.withLock { $0.sockets.append(socket.information) }
                if try await handler(socket) { encountered.value.withLock { $0.requests += 1 } }
            }
        }
    }

    deinit {
        self.serving.cancel()
    }

    var port: Int { self.listener.localEndpoint.port }

    /// Stops when a client has been met, waits for the last connection, and tells what has been.
    ///
    /// A client that refuses may be gone before its refusal has been read here; a listener that is closed by then drops it unread.
    func end() async throws -> Encountered {
        let deadline = ContinuousClock.now + .seconds(120)
        while self.encountered.value.withLock({ $0.sockets.isEmpty && $0.failures.isEmpty }), ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(2))
        }
        self.listener.close()
        try await self.serving.value
        return self.encountered.value.withLock { $0 }
    }
}

extension TestServer {
    /// Sends back what comes, and ends when its client has or when it has sent back a whole payload: some clients wait for that.
    static func echo(_ identity: TLSIdentity, clients: TLSTrust? = nil) async throws -> TestServer {
        try await TestServer(identity, clients: clients, protocols: ["echo/1"]) { socket in
            var count = 0
            while count < Payload.text.utf8.count {
                guard let bytes = try await socket.receive(timeout: Encounter.patience) else { break }
                count += bytes.readableBytes
                try await socket.send(bytes)
            }
            return true
        }
    }

    /// Answers one HTTP request a connection with the request's own body.
    static func http(_ identity: TLSIdentity, clients: TLSTrust? = nil) async throws -> TestServer {
        try await TestServer(identity, clients: clients, protocols: ["http/1.1"]) { socket in
            var head = ""
            while !head.hasSuffix("\r\n\r\n") {
                guard let byte = try? await socket.receive(exactly: 1, timeout: Encounter.patience) else { return false }
                head += String(buffer: byte)
            }
            let length = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
                .flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) }
            let body = try await socket.receive(exactly: length ?? 0, timeout: Encounter.patience)
            try await socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.readableBytes)\r\nConnection: close\r\n\r\n")
            try await socket.send(body)
            return true
        }
    }
}
