import Foundation
import Synchronization

/// A program that runs beside the tests, without standard input. It is killed when no reference to it remains, or after a limit.
///
/// Its output goes to files, and it inherits no other descriptors. A pipe, or the socket by which Foundation's `Process` detects the end of
/// a program, could be inherited by a program that is started at the same time, and would then stay open until that one ends too.
package final class RunningProgram: Sendable {
    private let child: Child

    private init(_ child: Child) { self.child = child }

    deinit { self.child.signal(SIGKILL) }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - arguments: The arguments after the program's name.
    ///   - environment: Variables in addition to those of this process.
    ///   - output: The path of the file for standard output, which is created or extended.
    ///   - errors: The path of the file for standard error. It may be that of `output`.
    ///   - limit: The time in seconds after which the program is killed.
    /// - Throws: `POSIXError` if the program cannot be started.
    package static func start(
        _ program: Program, _ arguments: [String], environment: [String: String] = [:], output: String, errors: String, limit: Int
    ) async throws -> RunningProgram {
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
        let child: Child = try await withCheckedThrowingContinuation { continuation in
            // The thread that starts the program also waits for it: a parent-death signal (`setpriv --pdeathsig`) is sent when that thread
            // ends, which then happens only when the whole process does.
            Thread.detachNewThread {
                do {
                    let child = Child(try Spawn.start(program.path, arguments, variables, output: output, errors: errors))
                    continuation.resume(returning: child)
                    child.reap()
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
        child.kill(after: limit)
        return RunningProgram(child)
    }

    /// Whether the program has ended.
    package var hasEnded: Bool { self.child.hasEnded }

    /// Waits for the end of the program.
    ///
    /// - Returns: Its exit status, or 128 and the number of the signal that ended it.
    package func waitUntilEnded() async -> Int32 { await self.child.waitUntilEnded() }

    /// Ends the program by `SIGINT`, which lets servers clean up, or by `SIGKILL` if it has not ended after ten seconds. Waits for its end.
    package func stop() async {
        self.child.signal(SIGINT)
        self.child.kill(after: 10)
        _ = await self.child.waitUntilEnded()
    }
}

/// A child process, from its start until it was reaped.
private final class Child: Sendable {
    private struct State {
        var status: Int32?
        var waiters: [CheckedContinuation<Int32, Never>] = []
    }

    private let process: pid_t
    private let state = Mutex(State())

    init(_ process: pid_t) { self.process = process }

    var hasEnded: Bool { self.state.withLock { $0.status != nil } }

    /// Sends a signal, unless the process was reaped: its number may belong to another process then.
    func signal(_ number: Int32) {
        self.state.withLock { if $0.status == nil { _ = Foundation.kill(self.process, number) } }
    }

    func kill(after seconds: Int) {
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(seconds)) { [weak self] in self?.signal(SIGKILL) }
    }

    func waitUntilEnded() async -> Int32 {
        await withCheckedContinuation { continuation in
            let status = self.state.withLock { state -> Int32? in
                if state.status == nil { state.waiters.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }

    /// Blocks the thread until the process has ended.
    func reap() {
        var information = siginfo_t()
        // The process is not reaped yet, so that its number remains valid for `signal`.
        while waitid(P_PID, id_t(self.process), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let (status, waiters) = self.state.withLock { state in
            var encoded: Int32 = 0
            while waitpid(self.process, &encoded, 0) < 0, errno == EINTR {}
            let signal = encoded & 0x7f
            let status = signal == 0 ? encoded >> 8 & 0xff : 128 + signal
            defer { state.waiters = [] }
            state.status = status
            return (status, state.waiters)
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }
}

/// The call of `posix_spawn`.
private enum Spawn {
    #if canImport(Darwin)
        private typealias FileActions = posix_spawn_file_actions_t?
        private typealias Attributes = posix_spawnattr_t?
    #else
        private typealias FileActions = posix_spawn_file_actions_t
        private typealias Attributes = posix_spawnattr_t
    #endif

    static func start(
        _ path: String, _ arguments: [String], _ variables: [String], output: String, errors: String
    ) throws -> pid_t {
        var actions = FileActions()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        for (descriptor, path) in [(STDOUT_FILENO, output), (STDERR_FILENO, errors)] {
            posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        }

        var attributes = Attributes()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A shell that runs the tests in the background has `SIGINT` ignored, and children inherit this.
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        var flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        #if canImport(Darwin)
            flags |= POSIX_SPAWN_CLOEXEC_DEFAULT
        #else
            try self.closeOthers(&actions)
        #endif
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var process: pid_t = 0
        let error = self.withCStrings([path] + arguments) { arguments in
            self.withCStrings(variables) { posix_spawn(&process, path, &actions, &attributes, arguments, $0) }
        }
        guard error == 0 else { throw POSIXError(POSIXErrorCode(rawValue: error) ?? .EINVAL) }
        return process
    }

    #if !canImport(Darwin)
        /// Closes the other descriptors in the child.
        ///
        /// glibc declares the function for `_GNU_SOURCE` only, without which Swift imports its headers.
        private static func closeOthers(_ actions: inout FileActions) throws {
            typealias AddCloseFrom = @convention(c) (UnsafeMutablePointer<FileActions>, Int32) -> Int32
            guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { throw POSIXError(.ENOSYS) }
            _ = unsafeBitCast(symbol, to: AddCloseFrom.self)(&actions, STDERR_FILENO + 1)
        }
    #endif

    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = strings.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}
