import ClassicSSL
import Synchronization
import Testing

/// A listener, and connections to it whose ends belong to processes of the test's choice.
struct Scene {
    let files: ClassicFiles
    let listener: SSL.Socket
    private let clientOptions: [SSL.Option]

    /// The listener belongs to the calling process.
    init(server: [SSL.Option], client: [SSL.Option]) async throws {
        self.files = try ClassicFiles()
        self.listener = try await SSL.listen(0, self.files.server + server)
        self.clientOptions = self.files.trust + [.verify(2)] + client
    }

    func connect() async throws -> SSL.Socket {
        try await SSL.connect(.ipv4(127, 0, 0, 1), SSL.port(self.listener), self.clientOptions, .patience)
    }

    func accept() async throws -> SSL.Socket {
        try await SSL.accept(self.listener, .patience)
    }

    /// A connection both ends of which belong to the calling process.
    func pair() async throws -> (client: SSL.Socket, server: SSL.Socket) {
        async let accepted = self.accept()
        let client = try await self.connect()
        return (client, try await accepted)
    }
}

/// A process that does what the test tells it to, one thing after the other, until it is told to end.
struct Actor: Sendable {
    private struct Work: Sendable {
        let number: Int
        let body: @Sendable () async -> Void
    }

    private struct End: Sendable {}

    /// Who waits for work to be done. Nobody may wait for a process that has ended.
    private final class Pending: Sendable {
        private struct State {
            var last = 0
            var giveUp: [Int: @Sendable () -> Void] = [:]
            var hasEnded = false
        }

        private let state = Mutex(State())

        func add(_ giveUp: @escaping @Sendable () -> Void) -> Int? {
            self.state.withLock { state in
                if state.hasEnded { return nil }
                state.last += 1
                state.giveUp[state.last] = giveUp
                return state.last
            }
        }

        func begin(_ number: Int) { self.state.withLock { $0.giveUp[number] = nil } }

        func end() {
            let left = self.state.withLock { state in
                state.hasEnded = true
                defer { state.giveUp = [:] }
                return state.giveUp.values.map { $0 }
            }
            for giveUp in left { giveUp() }
        }
    }

    let process: SSL.Process
    private let task: Task<Void, any Error>
    private let pending = Pending()

    init(trapExit: Bool = false) {
        let pending = self.pending
        let spawned = SSL.spawn(trapExit: trapExit) {
            defer { pending.end() }
            while true {
                let message = try await SSL.receive(.patience) { message in
                    if case .user(let value) = message { value is Work || value is End } else { false }
                }
                guard case .user(let work as Work) = message else { return }
                pending.begin(work.number)
                await work.body()
            }
        }
        self.process = spawned.process
        self.task = spawned.task
    }

    /// Has the process run `body`, and waits for what it returns.
    ///
    /// - Throws: What `body` throws; `closed` if the process ends before it comes to that.
    @discardableResult
    func callAsFunction<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            guard let number = self.pending.add({ continuation.resume(throwing: SSL.Reason.closed) }) else {
                return continuation.resume(throwing: SSL.Reason.closed)
            }
            self.process.send(
                Work(number: number) {
                    do {
                        continuation.resume(returning: try await body())
                    } catch {
                        continuation.resume(throwing: error)
                    }
                })
        }
    }

    /// Tells it to return, and waits until it has.
    func end() async throws {
        self.process.send(End())
        try await self.task.value
    }

    /// Cancels it in the middle of whatever it does.
    func kill() { self.task.cancel() }
}

extension SSL {
    /// The next message about this socket.
    static func receive(of socket: Socket, _ timeout: Timeout = .patience) async throws(Reason) -> Message {
        try await Self.receive(timeout) { $0.socket == socket }
    }
}

extension SSL.Message {
    var socket: SSL.Socket? {
        switch self {
        case .ssl(let socket, _), .sslClosed(let socket), .sslError(let socket, _): socket
        case .exit, .user: nil
        }
    }

    /// As Erlang writes it, without the socket.
    var text: String {
        switch self {
        case .ssl(_, let data): data.text
        case .sslClosed: "closed"
        case .sslError(_, let reason): "error \(reason)"
        case .exit(_, let reason): "exit \(reason)"
        case .user(let value): "user \(value)"
        }
    }
}
