#if os(Linux)
    import CEpoll
    import DequeModule
    import Dispatch
    import NIOCore
    import SocketCore
    import Synchronization

    #if canImport(Musl)
        import Musl
    #else
        import Glibc
    #endif

    /// An event loop for sockets over Linux's epoll: one thread, which waits for its descriptors, timers and tasks.
    ///
    /// It conforms to NIO's `EventLoop`. It exists because a channel with its pipeline and selector costs more time than everything else
    /// that is done for a message, and more memory than everything else that is kept for a connection.
    ///
    /// Theory of operation. Descriptors are registered once, edge-triggered (`epoll(7)`), and notified of what has become possible. They
    /// record it and query the kernel again only when they need a new state. Pausing reading and closing need no change of registration.
    /// One round of the loop runs tasks from other threads, then its own tasks, then waits, then serves the descriptors that are ready,
    /// then runs timers that are due. A descriptor with more work than its fair share continues in the next round (`reschedule`).
    ///
    /// A loop that has been shut down has no descriptors and accepts none. Its remaining work still runs, on a dispatch queue, so that
    /// every waiting call returns. `EventLoopLife` has the table.
    ///
    /// Sendable without a check because everything but `crossThread` and `threadID` is used on the loop's thread only and, after its end,
    /// by one thread at a time.
    final class EpollEventLoop: EventLoop, @unchecked Sendable {
        private let epoll: Int32
        /// Wakes the loop. Edge-triggered as well, so it is never read.
        private let wakeup: Int32
        private let threadID = Atomic<UInt>(0)
        private let crossThread: Mutex<CrossThread>

        /// The state that other threads share with the loop.
        private enum CrossThread {
            case open(Open)
            /// The loop has ended.
            case ended

            struct Open {
                let executor: EventLoopExecutor
                var tasks: [@Sendable () -> Void] = []
                /// Whether the loop has been woken for these tasks.
                var isWoken = false
                /// Called when the loop has ended.
                var stopWaiters: [@Sendable () -> Void] = []
            }

            /// Updates the shared state; nil if the loop has ended.
            mutating func update<Result>(_ body: (inout Open) -> Result) -> Result? {
                guard case .open(var open) = self else { return nil }
                // Without a second reference the arrays are changed in place.
                self = .ended
                defer { self = .open(open) }
                return body(&open)
            }

            mutating func end() -> Open? {
                guard case .open(let open) = self else { return nil }
                self = .ended
                return open
            }
        }

        // Unchecked exclusivity is sound: one thread at a time uses these, and no access releases anything that could run other code.
        @exclusivity(unchecked) private var tasks = Deque<() -> Void>()
        @exclusivity(unchecked) private var timers = TimerHeap()
        @exclusivity(unchecked) private var slots: ContiguousArray<Slot> = []
        @exclusivity(unchecked) private var freeSlots: [Int] = []
        @exclusivity(unchecked) private var unfinished: [any PolledDescriptor] = []
        /// The functions that run in the next round, after the descriptors have been served; see `runInNextRound`.
        @exclusivity(unchecked) private var nextRound: [() -> Void] = []
        /// Whether other threads may have left tasks.
        @exclusivity(unchecked) private var hasCrossThreadTasks: Bool
        @exclusivity(unchecked) private var life: EventLoopLife

        var hasEnded: Bool { self.life.hasEnded }
        private var isRunning: Bool { if case .running = self.life { true } else { false } }

        /// The loop's executor, used on the loop. nil after the loop's end, because the two refer to each other and would never be
        /// released.
        @exclusivity(unchecked) private(set) var ownExecutor: EventLoopExecutor?

        /// The loop's executor, used on any thread. After the loop's end, a new executor for the caller.
        var sharedExecutor: EventLoopExecutor {
            let shared: EventLoopExecutor? = self.crossThread.withLock {
                if case .open(let open) = $0 { open.executor } else { nil }
            }
            return shared ?? EventLoopExecutor(loop: self)
        }

        private struct Slot {
            var descriptor: (any PolledDescriptor)?
            /// Distinguishes a slot's descriptor from former ones, about which the kernel may still report events.
            var generation: UInt32 = 0
        }

        private static let eventsPerWait = 256
        /// The limit of tasks per round, because tasks may add others without end. The sockets are polled in between.
        private static let tasksPerRound = 4096

        init() throws(SecureSocketError) {
            let epoll = try Self.check(cepoll_create())
            do throws(SecureSocketError) {
                self.wakeup = try Self.makeWakeup(for: epoll)
            } catch {
                _ = cepoll_close(epoll)
                throw error
            }
            self.epoll = epoll
            self.inputBuffer = .allocate(byteCount: Self.inputBufferSize, alignment: 64)
            self.life = .running
            self.hasCrossThreadTasks = true
            self.crossThread = Mutex(.ended)
            let executor = EventLoopExecutor(loop: self, tickStart: .polledByLoop)
            self.ownExecutor = executor
            EventLoopExecutor.add(executor)
            self.crossThread.withLock { $0 = .open(CrossThread.Open(executor: executor)) }
        }

        /// A loop that has ended: it has neither descriptors nor a thread, and runs tasks on its queue. Used in place of loops that cannot
        /// be started.
        static let standIn = EpollEventLoop(ended: ())

        private init(ended: Void) {
            self.epoll = -1
            self.wakeup = -1
            self.inputBuffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
            self.life = .ended
            self.hasCrossThreadTasks = false
            self.crossThread = Mutex(.ended)
        }

        private static func makeWakeup(for epoll: Int32) throws(SecureSocketError) -> Int32 {
            let wakeup = try Self.check(cepoll_event_create())
            let result = cepoll_add(epoll, wakeup, cepoll_in | cepoll_edge_triggered, Self.wakeupKey)
            if result < 0 { _ = cepoll_close(wakeup) }
            _ = try Self.check(result)
            return wakeup
        }

        private static func check(_ result: Int32) throws(SecureSocketError) -> Int32 {
            guard result < 0 else { return result }
            throw .system(-result, step: .configuring, "cannot make an event loop")
        }

        private static let wakeupKey = UInt64.max

        // MARK: Thread

        /// Starts the thread. A loop without one ends at once.
        func start() throws(SecureSocketError) {
            var thread = pthread_t()
            // The thread takes over this reference. If the thread cannot be created, it is released.
            let argument = Unmanaged.passRetained(self)
            let result = pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    let loop = Unmanaged<EpollEventLoop>.fromOpaque(argument).takeRetainedValue()
                    loop.threadID.store(EpollEventLoop.currentThreadID, ordering: .relaxed)
                    cepoll_name_thread("secure-sockets")
                    loop.run()
                    return nil
                }, argument.toOpaque())
            guard result == 0 else {
                argument.release()
                self.end()
                throw .system(result, step: .configuring, "cannot start an event loop's thread")
            }
            pthread_detach(thread)
        }

        private static var currentThreadID: UInt { UInt(pthread_self()) }

        // Relaxed: the loop's own thread has set it, and on any other thread an old value gives the same result.
        var inEventLoop: Bool { self.threadID.load(ordering: .relaxed) == Self.currentThreadID }

        private func run() {
            withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.eventsPerWait) { events in
                while self.isRunning { self.runRound(events) }
                while self.life.nextRound(hasWork: self.hasWork) == .run { self.runRound(events) }
            }
            self.end()
        }

        @inline(__always) private func runRound(_ events: UnsafeMutableBufferPointer<epoll_event>) {
            self.takeCrossThreadTasks()
            self.runTasks()
            let count = cepoll_wait(self.epoll, events.baseAddress, Int32(Self.eventsPerWait), self.timeout())
            // A negative count means that a signal interrupted the call; no other error is possible here.
            for index in 0..<Int(max(count, 0)) { self.dispatch(events[index]) }
            self.resumeUnfinished()
            self.runDeferred()
            self.runTimers()
        }

        private func dispatch(_ event: epoll_event) {
            let key = event.data.u64
            if key == Self.wakeupKey {
                self.hasCrossThreadTasks = true
                return
            }
            let index = Int(truncatingIfNeeded: key & 0xffff_ffff)
            guard index < self.slots.count, self.slots[index].generation == UInt32(truncatingIfNeeded: key >> 32) else { return }
            self.slots[index].descriptor?.ready(event.events)
        }

        private var hasWork: Bool {
            !self.tasks.isEmpty || !self.unfinished.isEmpty || !self.nextRound.isEmpty || self.hasCrossThreadTasks
                || self.ownExecutor?.isTickDue ?? false
        }

        /// Milliseconds, rounded up: waking before a timer is due would only mean waiting again.
        private func timeout() -> Int32 {
            if self.hasWork || !self.isRunning { return 0 }
            guard let next = self.timers.next else { return -1 }
            let nanoseconds = (next - NIODeadline.now()).nanoseconds
            return nanoseconds <= 0 ? 0 : Int32(clamping: (nanoseconds + 999_999) / 1_000_000)
        }

        private func takeCrossThreadTasks() {
            guard self.hasCrossThreadTasks else { return }
            self.hasCrossThreadTasks = false
            let tasks = self.crossThread.withLock { crossThread in
                crossThread.update { open in
                    var tasks: [@Sendable () -> Void] = []
                    swap(&tasks, &open.tasks)
                    open.isWoken = false
                    return tasks
                }
            }
            for task in tasks ?? [] { self.tasks.append(task) }
        }

        private func runTasks() {
            for _ in 0..<Self.tasksPerRound {
                guard let task = self.tasks.popFirst() else { break }
                task()
            }
            self.ownExecutor?.runTickIfDue()
        }

        private func runTimers() {
            guard self.timers.next != nil else { return }
            let now = NIODeadline.now()
            while let body = self.timers.takeDue(at: now) { body() }
        }

        private func resumeUnfinished() {
            guard !self.unfinished.isEmpty else { return }
            let unfinished = self.unfinished
            self.unfinished.removeAll(keepingCapacity: true)
            for descriptor in unfinished { descriptor.resume() }
        }

        private func runDeferred() {
            guard !self.nextRound.isEmpty else { return }
            let bodies = self.nextRound
            self.nextRound.removeAll(keepingCapacity: true)
            for body in bodies { body() }
        }

        // MARK: Tasks and timers

        /// Runs `body` after all descriptors that are ready now. Call it on the loop.
        func runInNextRound(_ body: @escaping () -> Void) {
            self.nextRound.append(body)
        }

        func execute(_ task: @escaping @Sendable () -> Void) {
            self.enqueueCrossThread(task)
        }

        func _executeIsolatedUnsafeUnchecked(_ task: @escaping () -> Void) {
            self.tasks.append(task)
        }

        /// Enqueues a task from any thread.
        private func enqueueCrossThread(_ task: @escaping @Sendable () -> Void) {
            if self.inEventLoop { return self.tasks.append(task) }
            let left: Void? = self.crossThread.withLock { crossThread in
                crossThread.update { open in
                    open.tasks.append(task)
                    // While the lock is held the descriptor is open: it is closed only after `end` has taken the lock.
                    if !open.isWoken { _ = cepoll_event_signal(self.wakeup) }
                    open.isWoken = true
                }
            }
            if left == nil { self.runAfterEnd(task) }
        }

        private func onLoop(_ body: @escaping @Sendable () -> Void) {
            if self.inEventLoop { body() } else { self.enqueueCrossThread(body) }
        }

        /// Call on the loop, as well as `cancel`.
        func schedule(
            at deadline: NIODeadline, _ body: @escaping () -> Void, orWhenTheLoopEnds abandon: (() -> Void)? = nil
        ) -> TimerHeap.Timer {
            let timer = self.timers.add(at: deadline, body, orWhenItIsAbandoned: abandon)
            if self.hasEnded { self.scheduleRoundAfterEnd(at: deadline) }
            return timer
        }

        func cancel(_ timer: TimerHeap.Timer) {
            // What the timer holds is released only when the heap is consistent again, because that may run code which sets another timer.
            let bodies = self.timers.cancel(timer)
            withExtendedLifetime(bodies) {}
        }

        func scheduleTask<T>(deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
            let promise = self.makePromise(of: T.self)
            let timer = PendingTimer()
            let scheduled = Scheduled(promise: promise) { self.onLoop { timer.cancel(on: self) } }
            self.onLoop {
                timer.start(on: self, at: deadline) {
                    promise.assumeIsolated().completeWith(Result { try task() })
                } abandon: {
                    promise.fail(EventLoopError.shutdown)
                }
            }
            return scheduled
        }

        func scheduleTask<T>(in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
            self.scheduleTask(deadline: .now() + delay, task)
        }

        /// A timer that may be cancelled before it has reached the loop.
        ///
        /// Sendable without a check because it is used on the loop's thread only.
        private final class PendingTimer: @unchecked Sendable {
            private var timer: TimerHeap.Timer?
            private var isCancelled = false

            func start(
                on loop: EpollEventLoop, at deadline: NIODeadline, _ body: @escaping () -> Void, abandon: @escaping () -> Void
            ) {
                if self.isCancelled { return }
                if !loop.life.acceptsScheduledTasks { return abandon() }
                self.timer = loop.schedule(at: deadline, body, orWhenTheLoopEnds: abandon)
            }

            func cancel(on loop: EpollEventLoop) {
                self.isCancelled = true
                let timer = self.timer
                self.timer = nil
                if let timer { loop.cancel(timer) }
            }
        }

        // MARK: Descriptors

        /// Identifies a registered descriptor.
        struct Registration {
            fileprivate let index: Int
            fileprivate let key: UInt64
        }

        /// Watches a descriptor for `events`, edge-triggered, until it is closed.
        func register(
            _ number: Int32, for events: UInt32, _ descriptor: any PolledDescriptor
        ) throws(IOError) -> Registration {
            guard self.isRunning else { throw IOError(errnoCode: ECANCELED, reason: "the event loop has been shut down") }
            let index: Int
            if let free = self.freeSlots.popLast() {
                index = free
            } else {
                index = self.slots.count
                self.slots.append(Slot())
            }
            self.slots[index].descriptor = descriptor
            let registration = Registration(
                index: index, key: UInt64(self.slots[index].generation) << 32 | UInt64(truncatingIfNeeded: index))
            let result = cepoll_add(self.epoll, number, events, registration.key)
            if result < 0 {
                self.unregister(registration)
                throw IOError(errnoCode: -result, reason: "epoll_ctl")
            }
            return registration
        }

        /// Changes the events that are watched. Events that are already possible are reported as well.
        func change(_ registration: Registration, of number: Int32, to events: UInt32) {
            _ = cepoll_modify(self.epoll, number, events, registration.key)
        }

        /// Removes a descriptor that is about to be closed. The kernel removes it by itself.
        func unregister(_ registration: Registration) {
            let descriptor = self.slots[registration.index].descriptor
            self.slots[registration.index].descriptor = nil
            self.slots[registration.index].generation &+= 1
            self.freeSlots.append(registration.index)
            withExtendedLifetime(descriptor) {}
        }

        /// Stops watching a descriptor, which stays open.
        func remove(_ registration: Registration, of number: Int32) {
            _ = cepoll_remove(self.epoll, number)
            self.unregister(registration)
        }

        /// Lets a descriptor continue in the next round.
        func reschedule(_ descriptor: any PolledDescriptor) {
            self.unfinished.append(descriptor)
        }

        /// Calls `body` with the connection of each registered descriptor.
        func forEachConnection(_ body: (Connection) -> Void) {
            for slot in self.slots { slot.descriptor?.servedConnection.map(body) }
        }

        /// Runs a round of the loop within a task of the loop that never returns because the program exits in it.
        func runNestedRound() {
            withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.eventsPerWait) { self.runRound($0) }
        }

        // MARK: Memory

        /// The buffer for input from the network, shared by all connections. Its bytes are valid until the next read.
        private(set) var inputBuffer: UnsafeMutableRawBufferPointer
        private static let inputBufferSize = 64 << 10

        // MARK: Shutdown

        func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
            queue.async { callback(EventLoopError.unsupportedOperation) }
        }

        /// Closes everything that is registered and ends the thread. Calls `stopped` when that is done.
        func stop(_ stopped: @escaping @Sendable () -> Void) {
            let waiting: Void? = self.crossThread.withLock { $0.update { $0.stopWaiters.append(stopped) } }
            if waiting == nil { return stopped() }
            self.onLoop { self.perform(self.life.stop()) }
        }

        private func perform(_ decision: EventLoopLife.StopDecision) {
            guard decision == .closeDescriptors else { return }
            // By index, because closing one descriptor may close others.
            for index in self.slots.indices { self.slots[index].descriptor?.loopStops() }
        }

        private func end() {
            self.perform(self.life.threadEnds())
            for timer in self.timers.takeAbandonable() { timer.abandon() }
            self.slots.removeAll()
            self.freeSlots.removeAll()
            self.inputBuffer.deallocate()
            self.inputBuffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
            self.hasCrossThreadTasks = false
            self.life.end()
            let executor = self.ownExecutor
            self.ownExecutor = nil
            EventLoopExecutor.remove(self)
            self.threadID.store(0, ordering: .relaxed)
            let open = self.crossThread.withLock { $0.end() }
            for task in open?.tasks ?? [] { self.tasks.append(task) }
            let waiters = open?.stopWaiters ?? []
            // From here on the loop's remaining state belongs to its queue.
            _ = cepoll_close(self.wakeup)
            _ = cepoll_close(self.epoll)
            self.runAfterEnd {
                executor?.loopHasEnded()
                for deadline in self.timers.deadlines { self.scheduleRoundAfterEnd(at: deadline) }
                for waiter in waiters { waiter() }
            }
        }

        // MARK: After the loop's end

        /// The queue on which the loop's remaining work runs when its thread has gone.
        private let queueAfterEnd = DispatchQueue(label: "secure-sockets.ended-loop")

        /// Runs a task behind all remaining work.
        private func runAfterEnd(_ task: @escaping @Sendable () -> Void) {
            self.queueAfterEnd.async {
                self.tasks.append(task)
                self.roundAfterEnd()
            }
        }

        private func roundAfterEnd() {
            self.threadID.store(Self.currentThreadID, ordering: .relaxed)
            self.runTasks()
            self.resumeUnfinished()
            self.runDeferred()
            self.runTimers()
            self.threadID.store(0, ordering: .relaxed)
            if self.hasWork { self.queueAfterEnd.async { self.roundAfterEnd() } }
        }

        private func scheduleRoundAfterEnd(at deadline: NIODeadline) {
            let delay = max((deadline - .now()).nanoseconds, 0)
            self.queueAfterEnd.asyncAfter(deadline: .now() + .nanoseconds(Int(delay))) { self.roundAfterEnd() }
        }
    }

    /// An object with a descriptor that a loop watches.
    protocol PolledDescriptor: AnyObject {
        /// Handles what has become possible, as epoll's events.
        func ready(_ events: UInt32)
        /// Continues in the next round; see `EpollEventLoop.reschedule`.
        func resume()
        /// Called when the loop stops watching descriptors.
        func loopStops()
        /// The connection that uses the descriptor, if there is one.
        var servedConnection: Connection? { get }
    }

    extension PolledDescriptor {
        var servedConnection: Connection? { nil }
    }
#endif
