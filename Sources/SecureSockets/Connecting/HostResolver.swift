import Dispatch
import NIOCore
import SocketCore
import Synchronization

/// Resolves host names on dedicated threads.
///
/// `LookupQueue` decides which look-up runs when, and how many threads there are. This class starts and wakes the threads. A thread ends
/// when it has been idle for ten seconds. Loopback names are resolved without a look-up.
final class HostResolver: Sendable {
    typealias Answer = Result<[SocketAddress], Failure>
    typealias Completion = @Sendable (Answer) -> Void

    enum Failure: Error, Hashable {
        /// An error of `getaddrinfo`, such as `EAI_NONAME`.
        case resolver(Int32)
        /// An error of the operating system.
        case system(Int32)
        case rejected(LookupQueue.Rejection)
    }

    /// The resolver of the process, which calls `getaddrinfo`.
    static let shared = HostResolver { SystemResolver.addresses(of: $0.name, $0.family) }

    struct State {
        var queue: LookupQueue
        /// The completions of waiting callers.
        var completions: [LookupQueue.CallerID: Completion] = [:]
        /// The semaphores of threads, on which they wait while idle.
        var semaphores: [LookupQueue.ThreadID: DispatchSemaphore] = [:]
        var lastCaller: LookupQueue.CallerID = 0
    }

    let state: Mutex<State>
    private let idleTime: DispatchTimeInterval
    private let resolve: @Sendable (LookupQueue.Lookup) -> Answer
    private let spawn: @Sendable (@escaping @Sendable () -> Void) -> Int32

    /// - Parameters:
    ///   - limits: The limits on running and waiting look-ups.
    ///   - idleTime: The time without work after which a thread ends.
    ///   - spawn: A function that starts a thread and returns an error number, or 0.
    ///   - resolve: A function that resolves one name and blocks its thread.
    init(
        limits: LookupQueue.Limits = LookupQueue.Limits(),
        idleTime: DispatchTimeInterval = .seconds(10),
        spawn: @escaping @Sendable (@escaping @Sendable () -> Void) -> Int32 = DetachedThread.start,
        resolve: @escaping @Sendable (LookupQueue.Lookup) -> Answer
    ) {
        self.state = Mutex(State(queue: LookupQueue(limits: limits)))
        self.idleTime = idleTime
        self.spawn = spawn
        self.resolve = resolve
    }

    // MARK: Callers

    /// A look-up that its caller waits for.
    struct Query: Sendable {
        fileprivate let resolver: HostResolver
        fileprivate let caller: LookupQueue.CallerID

        /// Cancels the look-up. `completion` may still be called if the result is already available.
        func cancel() {
            let completion = self.resolver.state.withLock { state in
                state.queue.leave(self.caller)
                return state.completions.removeValue(forKey: self.caller)
            }
            // What it refers to is released outside of the lock.
            withExtendedLifetime(completion) {}
        }
    }

    enum Reply {
        case answered(Answer)
        case pending(Query)
    }

    /// Looks up the addresses of one family, without a port. The result is empty if the name has none of this family.
    ///
    /// - Parameter completion: The function that is called once with the result, on another thread, if the reply is `pending`.
    func lookUp(_ name: HostName, _ family: IPFamily, completion: @escaping Completion) -> Reply {
        if name.isLoopback { return .answered(.success(family.loopbackAddresses)) }
        let (caller, decision) = self.state.withLock { state in
            state.lastCaller += 1
            let decision = state.queue.ask(LookupQueue.Lookup(name, family), state.lastCaller)
            switch decision {
            case .wait, .wake: break
            case .start(let thread): state.semaphores[thread] = DispatchSemaphore(value: 0)
            case .reject: return (state.lastCaller, decision)
            }
            state.completions[state.lastCaller] = completion
            return (state.lastCaller, decision)
        }
        switch decision {
        case .wait: break
        case .wake(let thread): self.wake(thread)
        case .start(let thread): self.start(thread)
        case .reject(let rejection): return .answered(.failure(.rejected(rejection)))
        }
        return .pending(Query(resolver: self, caller: caller))
    }

    // MARK: Threads

    private func wake(_ thread: LookupQueue.ThreadID) {
        self.state.withLock { $0.semaphores[thread] }?.signal()
    }

    private func start(_ thread: LookupQueue.ThreadID) {
        let error = self.spawn { self.run(thread) }
        guard error != 0 else { return }
        let (completions, other) = self.state.withLock { state in
            state.semaphores[thread] = nil
            let (failed, other) = state.queue.couldNotStart(thread)
            return (failed.compactMap { state.completions.removeValue(forKey: $0) }, other)
        }
        if let other { self.wake(other) }
        for completion in completions { completion(.failure(.system(error))) }
    }

    private func run(_ thread: LookupQueue.ThreadID) {
        guard let semaphore = self.state.withLock({ $0.semaphores[thread] }) else { return }
        var work = self.work(of: thread)
        while let lookup = work {
            work = self.finish(thread, self.resolve(lookup)) ?? self.waitForWork(thread, semaphore)
        }
    }

    private func work(of thread: LookupQueue.ThreadID) -> LookupQueue.Lookup? {
        self.state.withLock { $0.queue.running[thread] }
    }

    /// Passes on a result. Returns the next look-up if one is waiting.
    private func finish(_ thread: LookupQueue.ThreadID, _ answer: Answer) -> LookupQueue.Lookup? {
        let (completions, next) = self.state.withLock { state in
            let (callers, next) = state.queue.finished(thread)
            return (callers.compactMap { state.completions.removeValue(forKey: $0) }, next)
        }
        for completion in completions { completion(answer) }
        return next
    }

    private func waitForWork(_ thread: LookupQueue.ThreadID, _ semaphore: DispatchSemaphore) -> LookupQueue.Lookup? {
        if semaphore.wait(timeout: .now() + self.idleTime) == .timedOut {
            let decision = self.state.withLock { state in
                let decision = state.queue.idleTimePassed(thread)
                if decision == .end { state.semaphores[thread] = nil }
                return decision
            }
            if decision == .end { return nil }
            // It has been given work at this moment and is being woken.
            semaphore.wait()
        }
        return self.work(of: thread)
    }
}

extension IPFamily {
    fileprivate var loopbackAddresses: [SocketAddress] {
        let address = try? SocketAddress(ipAddress: self == .v6 ? "::1" : "127.0.0.1", port: 0)
        return address.map { [$0] } ?? []
    }
}
