/// The host look-ups that run, wait for a thread, or are rejected.
///
/// The system's resolver blocks its thread, for a minute or longer if name servers do not respond, and cannot be interrupted. Therefore the
/// number of threads is bounded, and look-ups that no caller waits for occupy threads only where that cannot be avoided.
///
/// A look-up is for one name and one address family. Callers with the same look-up share it. It is unknown, waiting for a thread, running,
/// or abandoned: still running, although no caller waits for its result.
///
///     event ↓   look-up →   unknown                           waiting              running            abandoned
///     ask                   running ¹, waiting, or rejected   waiting              running            running
///     its last caller       –                                 unknown              abandoned          –
///       leaves
///     a thread is free      –                                 running, in turn ²   –                  –
///     it has a result       –                                 –                    unknown; callers   unknown
///                                                                                  get the result
///     its thread cannot     –                                 –                    waiting, or        unknown
///       be started                                                                 failed ³
///
/// ¹ On an idle thread, or else on a new one, unless `Limits.threads` or `Limits.threadsPerDomain` are in use.
/// ² A thread takes the look-up that has waited longest among those of the domains with the fewest running look-ups.
/// ³ It fails if there is no place to wait, or no other thread. In the latter case all waiting look-ups fail.
///
/// Guarantees to a caller: A running look-up cannot be stopped, so abandoned ones count against `Limits.threads` until the resolver
/// returns, and while they occupy all threads, other look-ups wait. One slow name occupies at most one thread for each address family,
/// however many callers ask for it, and all names of one domain at most a quarter of the threads and of the places to wait. So it takes the
/// names of four unresponsive domains to delay a look-up of another domain, which is then among the first when a thread is free. Against
/// slow names in any number of domains, a bound on threads is no help.
package struct LookupQueue {
    package typealias CallerID = UInt64
    package typealias ThreadID = UInt64

    /// A host name and an address family.
    package struct Lookup: Hashable, Sendable {
        /// The name in canonical form.
        package let name: String
        package let family: IPFamily
        let domain: String

        package init(_ name: HostName, _ family: IPFamily) {
            self.name = name.canonical
            self.family = family
            self.domain = name.domain
        }
    }

    package struct Limits: Sendable {
        /// The limit of threads, and thereby of running look-ups, abandoned ones included. A blocked thread costs some kilobytes of memory.
        package var threads: Int
        /// The limit of look-ups that wait for a thread. The number of callers that share a look-up is not limited here: each is a waiting
        /// call.
        package var waiting: Int
        /// The limits for one domain, a quarter of each.
        package var threadsPerDomain: Int { max(self.threads / 4, 1) }
        package var waitingPerDomain: Int { max(self.waiting / 4, 1) }

        package init(threads: Int = 64, waiting: Int = 1024) {
            self.threads = threads
            self.waiting = waiting
        }
    }

    package enum Decision: Equatable {
        /// The look-up waits or is already running.
        case wait
        /// Wake this idle thread, to which the look-up has been assigned.
        case wake(ThreadID)
        /// Start this thread, to which the look-up has been assigned.
        case start(ThreadID)
        case reject(Rejection)
    }

    package enum Rejection: Error, Hashable, Sendable {
        /// All places to wait are taken.
        case full(waiting: Int)
        /// All places to wait for look-ups of this domain are taken.
        case domainFull(String, waiting: Int)
    }

    private struct Pending {
        enum Phase: Equatable {
            /// `number` orders look-ups by their arrival.
            case waiting(number: Int)
            case running
        }

        var phase: Phase
        /// Empty if the look-up is abandoned.
        var callers: Set<CallerID>
    }

    package struct Waiting {
        fileprivate let number: Int
        package let lookup: Lookup
    }

    private let limits: Limits
    private var pending: [Lookup: Pending] = [:]
    /// The look-up that each caller waits for.
    package private(set) var lookups: [CallerID: Lookup] = [:]
    /// In order of arrival, at most `Limits.waiting`.
    package private(set) var waiting: [Waiting] = []
    /// The look-up that each busy thread runs.
    package private(set) var running: [ThreadID: Lookup] = [:]
    /// The thread that has been idle for the shortest time is last. It is woken first, so that the others can end.
    private var idle: [ThreadID] = []
    private var threadsOfDomain: [String: Int] = [:]
    private var waitingOfDomain: [String: Int] = [:]
    private var lastThread: ThreadID = 0
    private var lastNumber = 0
    private var firstNumber = 0

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    package var threadCount: Int { self.running.count + self.idle.count }

    // MARK: Callers

    /// Requests a look-up for a caller.
    package mutating func ask(_ lookup: Lookup, _ caller: CallerID) -> Decision {
        if self.pending[lookup] != nil {
            self.pending[lookup]?.callers.insert(caller)
            self.lookups[caller] = lookup
            return .wait
        }
        let hasThread = !self.idle.isEmpty || self.running.count < self.limits.threads
        if hasThread, self.threadsOfDomain[lookup.domain, default: 0] < self.limits.threadsPerDomain {
            self.add(lookup, .running, caller)
            if let thread = self.idle.popLast() {
                self.run(lookup, on: thread)
                return .wake(thread)
            }
            self.lastThread += 1
            self.run(lookup, on: self.lastThread)
            return .start(self.lastThread)
        }
        if let rejection = self.rejection(of: lookup) { return .reject(rejection) }
        self.lastNumber += 1
        self.add(lookup, .waiting(number: self.lastNumber), caller)
        self.waiting.append(Waiting(number: self.lastNumber, lookup: lookup))
        self.waitingOfDomain[lookup.domain, default: 0] += 1
        return .wait
    }

    /// Removes a caller that no longer waits. Does nothing if it already has its result.
    package mutating func leave(_ caller: CallerID) {
        guard let lookup = self.lookups.removeValue(forKey: caller) else { return }
        self.pending[lookup]?.callers.remove(caller)
        guard let entry = self.pending[lookup], entry.callers.isEmpty, case .waiting(let number) = entry.phase else { return }
        self.pending[lookup] = nil
        if let index = self.waiting.firstIndex(where: { $0.number == number }) { self.removeWaiting(at: index) }
    }

    // MARK: Threads

    /// Records a thread's result. Returns the callers that receive it and the thread's next look-up; without one the thread is idle.
    package mutating func finished(_ thread: ThreadID) -> (callers: Set<CallerID>, next: Lookup?) {
        let callers = self.stopRunning(on: thread).map { self.remove($0) } ?? []
        let next = self.takeNext()
        if let next { self.run(next, on: thread) } else { self.idle.append(thread) }
        return (callers, next)
    }

    package enum IdleDecision: Equatable {
        case end
        /// The thread has been given work in the meantime.
        case work
    }

    /// Records that a thread has been idle for a while.
    package mutating func idleTimePassed(_ thread: ThreadID) -> IdleDecision {
        self.idle.removeAll { $0 == thread }
        return self.running[thread] == nil ? .end : .work
    }

    /// Records that a thread could not be started. Returns the callers that fail, and an idle thread to be woken instead.
    package mutating func couldNotStart(_ thread: ThreadID) -> (failed: Set<CallerID>, wake: ThreadID?) {
        guard let lookup = self.stopRunning(on: thread) else { return ([], nil) }
        if self.threadCount == 0 {
            let failed = [lookup] + self.waiting.map(\.lookup)
            self.waiting.removeAll()
            self.waitingOfDomain.removeAll()
            return (failed.reduce(into: []) { $0.formUnion(self.remove($1)) }, nil)
        }
        var failed: Set<CallerID> = []
        if self.pending[lookup]?.callers.isEmpty ?? true || self.rejection(of: lookup) != nil {
            failed = self.remove(lookup)
        } else {
            // Ahead of all other waiting look-ups.
            self.firstNumber -= 1
            self.pending[lookup]?.phase = .waiting(number: self.firstNumber)
            self.waiting.insert(Waiting(number: self.firstNumber, lookup: lookup), at: 0)
            self.waitingOfDomain[lookup.domain, default: 0] += 1
        }
        // A thread may have become idle in the meantime.
        guard let thread = self.idle.last, let next = self.takeNext() else { return (failed, nil) }
        self.idle.removeLast()
        self.run(next, on: thread)
        return (failed, thread)
    }

    private mutating func run(_ lookup: Lookup, on thread: ThreadID) {
        self.running[thread] = lookup
        self.threadsOfDomain[lookup.domain, default: 0] += 1
    }

    private mutating func stopRunning(on thread: ThreadID) -> Lookup? {
        guard let lookup = self.running.removeValue(forKey: thread) else { return nil }
        Self.subtract(lookup.domain, from: &self.threadsOfDomain)
        return lookup
    }

    // MARK: Waiting

    private func rejection(of lookup: Lookup) -> Rejection? {
        if self.waiting.count >= self.limits.waiting { return .full(waiting: self.limits.waiting) }
        guard self.waitingOfDomain[lookup.domain, default: 0] >= self.limits.waitingPerDomain else { return nil }
        return .domainFull(lookup.domain, waiting: self.limits.waitingPerDomain)
    }

    /// Removes and returns the next look-up, if there is one that may run.
    private mutating func takeNext() -> Lookup? {
        var best: (index: Int, threads: Int)?
        for (index, waiting) in self.waiting.enumerated() {
            let threads = self.threadsOfDomain[waiting.lookup.domain, default: 0]
            guard threads < min(best?.threads ?? .max, self.limits.threadsPerDomain) else { continue }
            best = (index, threads)
            if threads == 0 { break }
        }
        guard let best else { return nil }
        let lookup = self.removeWaiting(at: best.index)
        self.pending[lookup]?.phase = .running
        return lookup
    }

    @discardableResult
    private mutating func removeWaiting(at index: Int) -> Lookup {
        let lookup = self.waiting.remove(at: index).lookup
        Self.subtract(lookup.domain, from: &self.waitingOfDomain)
        return lookup
    }

    private mutating func add(_ lookup: Lookup, _ phase: Pending.Phase, _ caller: CallerID) {
        self.pending[lookup] = Pending(phase: phase, callers: [caller])
        self.lookups[caller] = lookup
    }

    private mutating func remove(_ lookup: Lookup) -> Set<CallerID> {
        let callers = self.pending.removeValue(forKey: lookup)?.callers ?? []
        for caller in callers { self.lookups[caller] = nil }
        return callers
    }

    /// Subtracts one and keeps no zeros, because the number of domains is not bounded.
    private static func subtract(_ domain: String, from counts: inout [String: Int]) {
        guard let count = counts[domain] else { return }
        counts[domain] = count > 1 ? count - 1 : nil
    }
}
