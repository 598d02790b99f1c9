public import SecureSockets
import Synchronization

extension SSL {
    /// A message in a process's mailbox (specification §7).
    public enum Message: Sendable {
        /// `{ssl, Socket, Data}`: data has arrived.
        case ssl(Socket, Bytes)
        /// `{ssl_closed, Socket}`: the peer has ended the connection. The last message of a socket.
        case sslClosed(Socket)
        /// `{ssl_error, Socket, Reason}`: an error occurred; `sslClosed` follows.
        case sslError(Socket, Reason)
        /// `{'EXIT', Pid, Reason}`: a linked process or socket has ended, and this process traps exits.
        case exit(Pid, ExitReason)
        /// Any other value that a task has sent with ``SSL/Process/send(_:)``.
        case user(any Sendable)

        init(_ message: consuming Mailbox.Message) {
            switch message {
            case .received(let socket, let bytes):
                self = .ssl(Socket(socket), Bytes(bytes, isBinary: socket.mode.isBinary))
            case .ended(let socket): self = .sslClosed(Socket(socket))
            case .failed(let socket, let error): self = .sslError(Socket(socket), Reason(error, call: .recv))
            case .posted(let value): self = value as? Message ?? .user(value)
            }
        }
    }

    /// The reason for which a process has ended.
    public enum ExitReason: Sendable, Hashable, CustomStringConvertible {
        /// Its work was done, or its socket was closed.
        case normal
        /// Its task was cancelled.
        case killed
        /// It threw an error, described by the text.
        case error(String)

        public var description: String {
            switch self {
            case .normal: "normal"
            case .killed: "killed"
            case .error(let text): "{error,\(text)}"
            }
        }
    }

    /// A mailbox with an identity, which owns sockets and receives their messages.
    ///
    /// Every task has one. Tasks started with ``SSL/spawn(trapExit:_:)`` and scopes of ``SSL/withProcess(trapExit:_:)`` have their own; all
    /// other code acts as the program's main process, which ends with the program. A process ends when its task or scope returns, throws or
    /// is cancelled; its sockets are then closed as by `close` (§7).
    public final class Process: Sendable {
        private struct State {
            var trapExit: Bool
            var links: [Pid: Link] = [:]
            var end: ExitReason?
            var cancel: (@Sendable () -> Void)?
            var passesSocketsOn = false
        }

        /// Weak, because a link must not keep a process alive.
        private struct Link {
            weak var process: Process?
        }

        public let pid: Pid
        private let state: Mutex<State>
        /// The process's mailbox, for `SecureSocket.deliver(to:count:)`. Deliveries arrive as ``SSL/Message``s. Take messages with
        /// ``receive(_:where:)``, and do not close the mailbox.
        public let mailbox: Mailbox

        @TaskLocal static var inScope: Process?

        /// The program's main process.
        public static let main = Process(trapExit: false)

        /// The process that the calling task acts as.
        public static var current: Process { Self.inScope ?? Self.main }

        init(trapExit: Bool) {
            let pid = Pid(number: SecureSocket.nextID())
            // The mailbox needs the process and the process the mailbox. The box resolves this cycle.
            let box = Box()
            self.pid = pid
            self.state = Mutex(State(trapExit: trapExit))
            self.mailbox = Mailbox { owned in box.process.withLock { $0.process }?.released(owned) }
            box.process.withLock { $0.process = self }
        }

        private final class Box: Sendable {
            let process = Mutex(Link(process: nil))
        }

        /// Whether the end of a linked process or socket arrives as a message, instead of ending this process or being ignored
        /// (`process_flag(trap_exit, Flag)`).
        public var trapExit: Bool {
            get { self.state.withLock { $0.trapExit } }
            set { self.state.withLock { $0.trapExit = newValue } }
        }

        /// Whether the process has ended.
        public var hasEnded: Bool { self.state.withLock { $0.end != nil } }

        /// Whether the process accepts sockets for other processes.
        var passesSocketsOn: Bool {
            get { self.state.withLock { $0.passesSocketsOn } }
            set { self.state.withLock { $0.passesSocketsOn = newValue } }
        }

        // MARK: Messages

        /// Puts a value into the mailbox. A process that has ended drops it.
        public func send(_ value: some Sendable) {
            self.mailbox.post(Message.user(value))
        }

        /// Takes the next message, or the next one that matches. The others stay.
        ///
        /// - Throws: `timeout`, or `closed` if the process has ended or its task was cancelled.
        @inline(__always) public func receive(
            _ timeout: Timeout = .infinity, where accepts: (@Sendable (Message) -> Bool)? = nil
        ) async throws(Reason) -> Message {
            let duration = try timeout.duration()
            do {
                if let accepts {
                    return Message(try await self.mailbox.next(timeout: duration) { accepts(Message($0)) })
                }
                return Message(try await self.mailbox.next(timeout: duration))
            } catch {
                throw Reason(error, call: .receive)
            }
        }

        /// The number of waiting messages.
        public var messageCount: Int { self.mailbox.count }

        // MARK: Links and exit

        /// Links two processes: when one ends abnormally, so does the other, unless it traps exits.
        public func link(to other: Process) {
            self.state.withLock { $0.links[other.pid] = Link(process: other) }
            let end = other.state.withLock { state in
                state.links[self.pid] = Link(process: self)
                return state.end
            }
            if let end { self.linkedProcessEnded(other.pid, end) }
        }

        private func linkedProcessEnded(_ pid: Pid, _ reason: ExitReason) {
            self.state.withLock { $0.links[pid] = nil }
            self.receiveExit(pid, reason)
        }

        /// Sends the process an exit signal, from the calling task's process (`exit/2`).
        ///
        /// A process that traps exits receives it as a message, except `killed`. Any other process ends with that reason, except for
        /// `normal`, which has no effect: its task is cancelled, its sockets are closed, and calls that wait for messages throw `closed`. A
        /// scope of ``SSL/withProcess(trapExit:_:)`` and the program's main process end in the same way, but their code continues to run.
        public func exit(_ reason: ExitReason) {
            if reason == .killed { return self.stop(reason) }
            self.receiveExit(Process.current.pid, reason)
        }

        private func receiveExit(_ pid: Pid, _ reason: ExitReason) {
            if self.trapExit {
                self.mailbox.post(Message.exit(pid, reason))
            } else if reason != .normal {
                self.stop(reason)
            }
        }

        private func stop(_ reason: ExitReason) {
            let cancel = self.state.withLock { $0.cancel }
            self.end(reason)
            cancel?()
        }

        /// Handles a socket of this process that was closed by a call (§2, `close`).
        private func released(_ owned: any MailboxOwned) {
            guard self.trapExit else { return }
            switch owned {
            case let socket as SecureSocket: self.mailbox.post(Message.exit(Pid(of: socket), .normal))
            case let listener as SecureListener: self.mailbox.post(Message.exit(Pid(of: listener), .normal))
            default: break
            }
        }

        /// Sets the closure that stops the work when a linked process ends abnormally.
        func whenToldToEnd(_ cancel: @escaping @Sendable () -> Void) {
            let hasEnded = self.state.withLock { state in
                state.cancel = cancel
                return state.end != nil
            }
            if hasEnded { cancel() }
        }

        /// Ends the process. Only the first end counts.
        ///
        /// - Returns: Whether this was the first end.
        @discardableResult
        func end(_ reason: ExitReason) -> Bool {
            let links: [Process]? = self.state.withLock { state in
                guard state.end == nil else { return nil }
                state.end = reason
                defer { state.links.removeAll() }
                return state.links.values.compactMap(\.process)
            }
            guard let links else { return false }
            self.mailbox.close()
            for process in links { process.linkedProcessEnded(self.pid, reason) }
            return true
        }
    }

    // MARK: Starting processes

    /// Starts a task that is a new process.
    ///
    /// The process runs on one of the event loops of sockets, each process on the next, and the sockets that it connects or accepts are on
    /// the same loop, so that a message reaches it without a change of thread. Its code must therefore not block. A process that passes its
    /// sockets on (`controlling_process`), or has several, gets them on all loops in turn.
    ///
    /// A process that throws is logged as an error with the label `ClassicSSL`, as in Erlang, at most ten in ten seconds. An error that it
    /// throws because it was cancelled, or because a linked process has ended, is not logged.
    ///
    /// - Returns: The process. `task.value` of ``Spawned`` waits for its end.
    @discardableResult
    public static func spawn(
        trapExit: Bool = false, _ body: @escaping @Sendable () async throws -> Void
    ) -> Spawned {
        Self.start(Process(trapExit: trapExit), body)
    }

    /// Starts a process that is linked to the calling task's process from the start (`spawn_link/1`); see ``spawn(trapExit:_:)``.
    @discardableResult
    public static func spawnLink(
        trapExit: Bool = false, _ body: @escaping @Sendable () async throws -> Void
    ) -> Spawned {
        let process = Process(trapExit: trapExit)
        Process.current.link(to: process)
        return Self.start(process, body)
    }

    static func start(
        _ process: Process, log: ProcessLog = .shared, _ body: @escaping @Sendable () async throws -> Void
    ) -> Spawned {
        let loopTask = SocketEventLoopGroup.shared.nextLoopTask()
        let task = Task(executorPreference: loopTask.taskExecutor) {
            loopTask.begin()
            defer { loopTask.end() }
            try await Self.run(body, as: process, loopTask, log)
        }
        process.whenToldToEnd { task.cancel() }
        return Spawned(process: process, task: task)
    }

    /// A process and its task.
    public struct Spawned: Sendable {
        public let process: Process
        public let task: Task<Void, any Error>
    }

    /// Runs a scope that is a new process. When the scope ends, in whatever way, its sockets are closed. Its error is thrown to the caller
    /// and not logged.
    public static func withProcess<Result>(
        trapExit: Bool = false, _ body: (Process) async throws -> Result
    ) async throws -> Result {
        let process = Process(trapExit: trapExit)
        return try await Self.run({ try await body(process) }, as: process)
    }

    private static func run<Result>(
        _ body: () async throws -> Result, as process: Process, _ loopTask: LoopTask? = nil,
        _ log: ProcessLog? = nil
    ) async throws -> Result {
        try await withTaskCancellationHandler {
            do {
                let result = try await Process.$inScope.withValue(process) { try await body() }
                process.end(.normal)
                return result
            } catch {
                if process.end(.error("\(error)")) { log?.processThrew(error, process.pid) }
                throw error
            }
        } onCancel: {
            process.end(.killed)
            loopTask?.wasCancelled()
        }
    }

    /// Takes the next message of the calling task's process; see ``Process/receive(_:where:)``.
    public static func receive(
        _ timeout: Timeout = .infinity, where accepts: (@Sendable (Message) -> Bool)? = nil
    ) async throws(Reason) -> Message {
        try await Process.current.receive(timeout, where: accepts)
    }
}

extension SSL.Process: Hashable {
    public static func == (left: SSL.Process, right: SSL.Process) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.pid) }
}
