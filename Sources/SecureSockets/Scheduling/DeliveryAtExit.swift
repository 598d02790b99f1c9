import Dispatch
import NIOCore
import SocketCore
import Synchronization
import TLSEngine

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// Delivers what `send` accepted, and the end of each closed stream, before the process exits.
///
/// The threads of the event loops end with the process at any point, and a socket that the kernel closes with unread bytes is reset, which
/// destroys data in flight. Therefore a function that runs at exit (`atexit(3)`) waits until the peers' operating systems have acknowledged
/// everything that was accepted before: until 2 seconds have passed without progress, and for at most 20 seconds. A program without such
/// connections does not wait. `_exit`, a fatal signal and `SIGKILL` end a program without this.
final class DeliveryAtExit: Sendable {
    private static let longestStandstill = TimeAmount.seconds(2)
    private static let longest = TimeAmount.seconds(20)

    /// Installs the function once, when this is first read.
    static let isInstalled = {
        _ = DeliveryAtExit.process
        return atexit { DeliveryAtExit.run() } == 0
    }()

    /// The process that installed the function. A forked process has copies of its connections, but not its threads; anything that it sent
    /// would corrupt the streams.
    private static let process = getpid()

    private struct State {
        var loopsLeft: Int
        var lastProgress: NIODeadline
    }

    private let state: Mutex<State>
    private let end: NIODeadline
    private let loopsAreDone = DispatchSemaphore(value: 0)

    private init(loops: Int) {
        let now = NIODeadline.now()
        self.state = Mutex(State(loopsLeft: loops, lastProgress: now))
        self.end = now + Self.longest
    }

    private static func run() {
        guard getpid() == self.process else { return }
        let executors = EventLoopExecutor.allWithConnections
        guard !executors.isEmpty else { return }
        let delivery = DeliveryAtExit(loops: executors.count)
        for executor in executors where !executor.isOnLoop {
            executor.loop.execute { executor.runTick { OneLoop(executor, delivery).step() } }
        }
        if let own = executors.first(where: \.isOnLoop) { OneLoop(own, delivery).runHere() }
        delivery.wait()
    }

    private var deadline: NIODeadline { self.state.withLock { min($0.lastProgress + Self.longestStandstill, self.end) } }

    private func wait() {
        while self.state.withLock({ $0.loopsLeft > 0 }) {
            let left = self.deadline - .now()
            guard left > .nanoseconds(0) else { return }
            _ = self.loopsAreDone.wait(timeout: .now() + .nanoseconds(Int(left.nanoseconds)))
        }
    }

    private func noteProgress() {
        self.state.withLock { $0.lastProgress = .now() }
    }

    private func loopIsDone() {
        let isLast = self.state.withLock { state in
            state.loopsLeft -= 1
            return state.loopsLeft == 0
        }
        if isLast { self.loopsAreDone.signal() }
    }

    /// The deliveries of one loop. Used on that loop.
    private final class OneLoop {
        private let executor: EventLoopExecutor
        private let delivery: DeliveryAtExit
        private var awaited: [AwaitedDelivery] = []
        private var leastRemaining = Int.max
        private static let pause = TimeAmount.milliseconds(1)

        init(_ executor: EventLoopExecutor, _ delivery: DeliveryAtExit) {
            self.executor = executor
            self.delivery = delivery
            executor.forEachConnection { connection in
                if !connection.isHandshaking { self.awaited.append(AwaitedDelivery(connection)) }
            }
        }

        /// Checks the deliveries, and checks again soon unless everything has been delivered.
        func step() {
            self.updateProgress()
            if self.isDone { return self.delivery.loopIsDone() }
            self.executor.after(Self.pause) { self.step() }
        }

        /// Waits on this thread, for the loop on which the program exits.
        func runHere() {
            self.updateProgress()
            while !self.isDone, NIODeadline.now() < self.delivery.deadline {
                // Bounds the wait for an event.
                self.executor.after(Self.pause) {}
                guard self.executor.runNestedRound() else { break }
                self.updateProgress()
            }
            self.delivery.loopIsDone()
        }

        private var isDone: Bool { self.awaited.isEmpty }

        private func updateProgress() {
            self.awaited.removeAll(where: \.isDelivered)
            let remaining = self.awaited.reduce(0) { $0 + $1.remaining }
            if remaining < self.leastRemaining {
                self.leastRemaining = remaining
                self.delivery.noteProgress()
            }
        }
    }
}

/// The data to be delivered for one connection.
private struct AwaitedDelivery {
    let connection: Connection
    /// The acknowledged count at which the peer has everything that had been accepted before; nil if it is not known. The program may
    /// continue to send, and that is not awaited.
    private let target: UInt64?

    init(_ connection: Connection) {
        let transport = connection.transport
        let acknowledged = transport.acknowledgedBytes
        let accepted = transport.unacknowledgedBytes + transport.unsentBytes + connection.engine.pendingOutput
        self.connection = connection
        // Where the operating system does not count what was acknowledged, the transport counts down from the largest number.
        let (target, overflow) = acknowledged.addingReportingOverflow(UInt64(max(accepted, 0)))
        self.target = acknowledged == 0 || overflow ? nil : target
    }

    /// Does not increase, even if the program continues to send.
    var remaining: Int {
        if let target, self.connection.isOpen {
            let acknowledged = self.connection.transport.acknowledgedBytes
            return target > acknowledged ? Int(clamping: target - acknowledged) : 0
        }
        return self.connection.undelivered + self.connection.transport.unacknowledgedBytes
    }

    var isDelivered: Bool {
        let transport = self.connection.transport
        if self.connection.isTransportGone { return true }
        guard self.connection.isOpen else {
            return self.connection.closing.isWritingDelivered && transport.unacknowledgedBytes == 0
        }
        if let target, transport.acknowledgedBytes >= target { return true }
        return transport.unsentBytes + self.connection.engine.pendingOutput + transport.unacknowledgedBytes == 0
    }
}
