import NIOCore
import NIOPosix
import SecureSockets

/// The time limit of a handler's handshake, or of its closing.
///
/// Nearly all are cancelled, and NIO finds a task that is to be cancelled by looking at all of its loop's. On NIO's own loops, the limits of
/// all handlers therefore share one task (`LoopTimers`).
enum HandlerTimer {
    case shared(TimerHeap.Timer, LoopTimers)
    case own(Scheduled<Void>)

    /// Call it on the loop, as well as `cancel`.
    static func start(after time: TimeAmount, on loop: any EventLoop, _ body: @escaping () -> Void) -> HandlerTimer {
        guard let timers = LoopTimers.of(loop) else {
            return .own(loop.assumeIsolated().scheduleTask(in: time, body))
        }
        return .shared(timers.add(at: .now() + time, body), timers)
    }

    func cancel() {
        switch self {
        case .shared(let timer, let timers): timers.cancel(timer)
        case .own(let task): task.cancel()
        }
    }
}

/// The time limits of the handlers on one of NIO's loops: at most one for each handler. One task of the loop is scheduled, for the earliest or
/// for an earlier time.
///
/// Sendable without a check because an object is used on its thread only, which is that of its loop.
final class LoopTimers: @unchecked Sendable {
    private static let ofThread = ThreadSpecificVariable<LoopTimers>()

    private let loop: any EventLoop
    private var heap = TimerHeap()
    private var nextCheck: (deadline: NIODeadline, task: Scheduled<Void>)?

    /// Returns the timers of a loop; nil if it does not have this thread for itself.
    static func of(_ loop: any EventLoop) -> LoopTimers? {
        guard MultiThreadedEventLoopGroup.currentEventLoop === loop else { return nil }
        if let known = self.ofThread.currentValue, known.loop === loop { return known }
        let new = LoopTimers(loop)
        self.ofThread.currentValue = new
        return new
    }

    private init(_ loop: any EventLoop) { self.loop = loop }

    func add(at deadline: NIODeadline, _ body: @escaping () -> Void) -> TimerHeap.Timer {
        let timer = self.heap.add(at: deadline, body)
        self.scheduleCheck()
        return timer
    }

    func cancel(_ timer: TimerHeap.Timer) {
        // What the timer holds is released only when the heap is consistent again, because that may run code which sets another timer.
        let bodies = self.heap.cancel(timer)
        withExtendedLifetime(bodies) {}
    }

    private func scheduleCheck() {
        guard let next = self.heap.next else { return }
        if let nextCheck {
            if nextCheck.deadline <= next { return }
            nextCheck.task.cancel()
        }
        self.nextCheck = (next, self.loop.assumeIsolated().scheduleTask(deadline: next) { self.check() })
    }

    private func check() {
        self.nextCheck = nil
        let now = NIODeadline.now()
        while let body = self.heap.takeDue(at: now) { body() }
        self.scheduleCheck()
    }
}
