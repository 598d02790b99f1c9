import DequeModule
import NIOCore
import Synchronization

/// Runs tasks on an event loop, in ticks at whose end the loop's connections flush.
///
/// A tick begins with an event of a connection and ends when the tasks that the event woke have run. Then each connection with output
/// flushes once: a hundred small replies in one tick take one system call, and a task that waits for bytes resumes in the very call that
/// brought them, without a change of thread.
///
/// Sendable without a check because everything but `enqueue` is used on the loop's thread only, and `enqueue` accesses nothing else before
/// it knows which thread it is on.
final class EventLoopExecutor: TaskExecutor, @unchecked Sendable {
    let loop: any EventLoop
    #if os(Linux)
        /// The same loop, if it is an `EpollEventLoop`. Kept alive by `loop`.
        private unowned(unsafe) let epollLoop: EpollEventLoop?
    #endif
    // Unchecked exclusivity is sound: these are used on the loop only, and no access calls other code.
    @exclusivity(unchecked) private var jobs = Deque<UnownedJob>()
    @exclusivity(unchecked) private var unflushed: [Connection] = []
    /// The connections whose flush is in progress. Empty between flushes.
    @exclusivity(unchecked) private var flushing: [Connection] = []
    @exclusivity(unchecked) private var isInTick = false
    @exclusivity(unchecked) private var isScheduled = false

    private static let roundsPerTick = 4
    /// The limit of jobs per tick, after which the loop polls its sockets.
    private static let jobsPerTick = 512
    /// The number of jobs in a tick between readings of the clock.
    private static let jobsPerClockCheck = 16

    init(loop: any EventLoop, tickStart: TickStart = .executedTask) {
        self.loop = loop
        self.tickStart = tickStart
        #if os(Linux)
            self.epollLoop = loop as? EpollEventLoop
        #endif
    }

    // MARK: Registry

    private static let executors = Mutex<[ObjectIdentifier: EventLoopExecutor]>([:])

    /// Returns the executor of a loop. Loops live as long as their group, which usually lives as long as the program.
    static func of(_ loop: any EventLoop) -> EventLoopExecutor {
        #if os(Linux)
            if let loop = loop as? EpollEventLoop { return loop.sharedExecutor }
        #endif
        return self.executors.withLock { executors in
            if let executor = executors[ObjectIdentifier(loop)], executor.loop === loop { return executor }
            let executor = EventLoopExecutor(loop: loop)
            executors[ObjectIdentifier(loop)] = executor
            _ = DeliveryAtExit.isInstalled
            return executor
        }
    }

    #if os(Linux)
        /// Adds the executor of an `EpollEventLoop`, until `remove`.
        static func add(_ executor: EventLoopExecutor) {
            self.executors.withLock { $0[ObjectIdentifier(executor.loop)] = executor }
            _ = DeliveryAtExit.isInstalled
        }

        static func remove(_ loop: EpollEventLoop) {
            // Released outside of the lock, because it may be the last reference.
            let executor = self.executors.withLock { $0.removeValue(forKey: ObjectIdentifier(loop)) }
            withExtendedLifetime(executor) {}
        }
    #endif

    static var allWithConnections: [EventLoopExecutor] {
        self.executors.withLock { $0.values.filter { $0.connectionCount.load(ordering: .relaxed) > 0 } }
    }

    // MARK: Connections

    /// The number of the loop's connections that have a socket. Read on any thread.
    private let connectionCount = Atomic<Int>(0)
    /// The connections over NIO's channels. An `EpollEventLoop` knows its own.
    @exclusivity(unchecked) private var channelConnections: [ObjectIdentifier: Connection] = [:]

    func countConnection(_ change: Int) {
        self.connectionCount.add(change, ordering: .relaxed)
    }

    func addChannelConnection(_ connection: Connection) {
        let isNew = self.channelConnections.updateValue(connection, forKey: ObjectIdentifier(connection)) == nil
        if isNew { self.countConnection(1) }
    }

    func removeChannelConnection(_ connection: Connection) {
        if self.channelConnections.removeValue(forKey: ObjectIdentifier(connection)) != nil { self.countConnection(-1) }
    }

    /// Calls `body` with each of the loop's connections that has a socket.
    func forEachConnection(_ body: (Connection) -> Void) {
        #if os(Linux)
            if let epollLoop { return epollLoop.forEachConnection(body) }
        #endif
        for connection in self.channelConnections.values { body(connection) }
    }

    /// Flushes and runs a round of the loop, within a task of the loop that never returns because the program exits in it. Returns false if
    /// this is not possible with this loop.
    func runNestedRound() -> Bool {
        self.flush()
        #if os(Linux)
            if let epollLoop {
                epollLoop.runNestedRound()
                return true
            }
        #endif
        return false
    }

    // MARK: Tasks

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if self.isOnLoop {
            self.jobs.append(job)
            self.schedule()
        } else {
            self.loop.execute {
                self.jobs.append(job)
                self.runTick {}
            }
        }
    }

    // MARK: Registered tasks

    @exclusivity(unchecked) private var ownTasks: [TaskIdentity: LoopTask] = [:]

    func add(_ task: LoopTask, _ identity: TaskIdentity) {
        self.ownTasks[identity] = task
    }

    func removeTask(_ identity: TaskIdentity) {
        self.ownTasks[identity] = nil
    }

    /// The calling task, on the loop, if it is registered.
    var callingTask: LoopTask? {
        guard !self.ownTasks.isEmpty, let identity = TaskIdentity.current else { return nil }
        return self.ownTasks[identity]
    }

    // MARK: Ticks

    /// Runs `body` as a tick, or in the one that is running.
    func runTick(_ body: () -> Void) {
        if self.isInTick { return body() }
        self.isInTick = true
        body()
        // A flush makes room for calls that wait to send. A few rounds here cost less than as many ticks.
        var rounds = Self.roundsPerTick
        var slice = TimeSlice()
        repeat {
            self.runJobs(&slice)
            self.flush()
            rounds -= 1
        } while rounds > 0 && !self.jobs.isEmpty && !slice.isUsedUp
        self.isInTick = false
        if !self.jobs.isEmpty || !self.unflushed.isEmpty { self.schedule() }
    }

    /// Runs `body` immediately, on the loop's thread. The tasks that it wakes run in the current tick, or in one that begins soon.
    func runBeforeTick(_ body: () -> Void) {
        if self.isInTick { return body() }
        self.isInTick = true
        body()
        self.isInTick = false
        if !self.jobs.isEmpty || !self.unflushed.isEmpty { self.schedule() }
    }

    /// Runs `body` on the loop: immediately if called on the loop, otherwise soon.
    ///
    /// Tasks that it wakes do not run on the caller's stack, because the caller may be in the middle of cancelling one of them.
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        if self.isOnLoop { self.runBeforeTick(body) } else { self.loop.execute { self.runTick(body) } }
    }

    /// The mechanism that begins a tick that is due.
    enum TickStart {
        /// The loop calls `runTickIfDue` in each of its rounds.
        case polledByLoop
        /// A task is executed on the loop.
        case executedTask
    }

    @exclusivity(unchecked) private var tickStart: TickStart

    #if os(Linux)
        /// Records that the loop runs no more rounds, and releases the buffers of its connections.
        func loopHasEnded() {
            self.tickStart = .executedTask
            self.spareOutputs.removeAll()
            if self.isScheduled { self.loop.execute { self.runTickIfDue() } }
        }
    #endif

    /// Schedules a flush of `connection` at the end of this tick, or of one that begins soon.
    func noteUnflushed(_ connection: Connection) {
        self.unflushed.append(connection)
        self.schedule()
    }

    private func schedule() {
        guard !self.isInTick, !self.isScheduled else { return }
        self.isScheduled = true
        switch self.tickStart {
        case .polledByLoop: break
        case .executedTask: self.loop.execute { self.runTickIfDue() }
        }
    }

    /// Whether a tick is to be run soon.
    var isTickDue: Bool { self.isScheduled }

    func runTickIfDue() {
        guard self.isScheduled else { return }
        self.isScheduled = false
        self.runTick {}
    }

    /// Whether this is the loop's thread.
    var isOnLoop: Bool {
        #if os(Linux)
            if let epollLoop { return epollLoop.inEventLoop }
        #endif
        return self.loop.inEventLoop
    }

    // MARK: Fair shares

    /// The number of items (chunks, packets, messages) that the running job has taken without waiting.
    @exclusivity(unchecked) private var itemsOfJob = 0
    @exclusivity(unchecked) private var jobSlice = TimeSlice()
    /// The number of items that a job may take before the clock is read.
    private static let itemsPerClockCheck = 4
    private static let itemsPerJob = 256

    /// Counts an item that the running job takes without waiting. Returns true if the job has used up its share; it then has to wait for
    /// the next round of the loop.
    @inline(__always) func countItem() -> Bool {
        self.itemsOfJob &+= 1
        return self.itemsOfJob >= Self.itemsPerClockCheck && self.beginShareIfUsedUp()
    }

    /// Returns whether the running job has used up its share, and if so begins a new one.
    private func beginShareIfUsedUp() -> Bool {
        if self.itemsOfJob == Self.itemsPerClockCheck { self.jobSlice = TimeSlice() }
        guard self.jobSlice.checkClock() || self.itemsOfJob >= Self.itemsPerJob else { return false }
        // Jobs of other executors on this thread are not counted from their beginning.
        self.itemsOfJob = 0
        return true
    }

    /// Runs `body`, as a tick, when the other connections of the loop have had their share. Call it on the loop.
    func inNextRound(_ body: @escaping () -> Void) {
        #if os(Linux)
            if let epollLoop { return epollLoop.runInNextRound { self.runTick(body) } }
        #endif
        // NIO's loops run executed tasks, and the tasks that these add, before they poll their channels. Scheduled tasks that become due
        // later run after that.
        self.loop.assumeIsolated().scheduleTask(in: .microseconds(10)) { self.runTick(body) }
    }

    // MARK: Timers

    /// A timer on the loop. Cancel it on the loop.
    enum Timer {
        case scheduled(Scheduled<Void>)
        #if os(Linux)
            case heap(TimerHeap.Timer, EpollEventLoop)
        #endif

        func cancel() {
            switch self {
            case .scheduled(let task): task.cancel()
            #if os(Linux)
                case .heap(let timer, let loop): loop.cancel(timer)
            #endif
            }
        }
    }

    /// Runs `body` as a tick after `delay`. Call it on the loop.
    @discardableResult
    func after(_ delay: TimeAmount, _ body: @escaping () -> Void) -> Timer {
        #if os(Linux)
            if let epollLoop { return .heap(epollLoop.schedule(at: .now() + delay) { self.runTick(body) }, epollLoop) }
        #endif
        return .scheduled(self.loop.assumeIsolated().scheduleTask(in: delay) { self.runTick(body) })
    }

    // MARK: Lingering

    @exclusivity(unchecked) private var lingering = LingeringLimits()

    /// Adds a connection that is closed on this side and waits for its peer.
    func beginLingering(_ connection: Connection, bytes: Int) {
        for dropped in self.lingering.add(connection, bytes: bytes) { dropped.drop() }
    }

    func endLingering(_ connection: Connection) {
        self.lingering.remove(connection)
    }

    func dropOldestLingering(_ count: Int) {
        for dropped in self.lingering.takeOldest(count) { dropped.drop() }
    }

    // MARK: Memory

    /// Output buffers of this loop's connections, kept for reuse while they are warm in the cache. A busy sender has two or three in use,
    /// and new ones of that size would be new pages each time.
    @exclusivity(unchecked) private var spareOutputs: [ByteBuffer] = []
    private static let mostSpareOutputs = 4
    private static let largestSpareOutput = 256 << 10

    func takeSpareOutput() -> ByteBuffer { self.spareOutputs.popLast() ?? ByteBuffer() }

    /// Keeps a buffer whose bytes have been written, if it has no other reference.
    func recycle(_ output: consuming ByteBuffer) {
        guard output.capacity <= Self.largestSpareOutput, self.spareOutputs.count < Self.mostSpareOutputs else { return }
        if output.modifyIfUniquelyOwned({ $0.clear() }) != nil { self.spareOutputs.append(output) }
    }

    private func runJobs(_ slice: inout TimeSlice) {
        let executor = self.asUnownedTaskExecutor()
        for count in 1...Self.jobsPerTick {
            guard let job = self.jobs.popFirst() else { return }
            self.itemsOfJob = 0
            job.runSynchronously(on: executor)
            if count % Self.jobsPerClockCheck == 0, slice.checkClock() { return }
        }
    }

    private func flush() {
        swap(&self.unflushed, &self.flushing)
        while let connection = self.flushing.popLast() { connection.flush() }
    }
}

/// A share of an event loop's time: how long one connection or task may work before it has to wait for the loop's next round.
struct TimeSlice {
    /// As long as a handful of small messages takes. A round of the loop costs a hundredth of it.
    private static let length = TimeAmount.microseconds(100)

    private var end: NIODeadline?
    private(set) var isUsedUp = false

    /// Reads the clock. The first reading begins the slice. Returns whether the slice is used up.
    mutating func checkClock() -> Bool {
        let now = NIODeadline.now()
        if let end { self.isUsedUp = now >= end } else { self.end = now + Self.length }
        return self.isUsedUp
    }
}
