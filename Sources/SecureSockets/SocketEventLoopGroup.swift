public import Dispatch
public import NIOCore
import NIOPosix
import Synchronization

/// The event loops that sockets run on, unless they are given others: one thread each.
///
/// On Linux these are loops of our own over epoll, which cost a connection a fraction of the time and memory that NIO's channels do.
/// Elsewhere they are NIO's. To NIO they are event loops like any other: futures, timers and tasks work on them, but NIO's own bootstraps
/// do not. Sockets also run on the loops of a `MultiThreadedEventLoopGroup`, if that is what they are given.
public final class SocketEventLoopGroup: EventLoopGroup {
    /// Loops that have been started.
    private final class Started: Sendable {
        let loops: [any EventLoop]
        /// NIO's group, where the loops are NIO's.
        let channelGroup: MultiThreadedEventLoopGroup?

        init(_ loops: [any EventLoop], _ channelGroup: MultiThreadedEventLoopGroup?) {
            self.loops = loops
            self.channelGroup = channelGroup
        }
    }

    private let started = AtomicLazyReference<Started>()
    /// Held while the shared loops are started, so that this is done once.
    private let starting = Mutex(())
    private let position = Atomic<Int>(0)
    private let isShared: Bool

    /// The loops of this program: as many as the machine has cores. Never shut down.
    ///
    /// They are started when they are first used. If that is not possible, for lack of descriptors, the call that needs them throws an error,
    /// and the next one tries again. The methods of `EventLoopGroup` that cannot throw return a loop then on which tasks run, but
    /// scheduled tasks fail and nothing can be opened.
    public static let shared = SocketEventLoopGroup(isShared: true)

    /// Starts event loops.
    ///
    /// - Parameter numberOfLoops: At least 1; each is a thread. Default: as many as the machine has cores.
    /// - Throws: ``SecureSocketError``: `invalidArgument`, `tooManyOpenFiles`.
    public convenience init(numberOfLoops: Int = System.coreCount) throws(SecureSocketError) {
        self.init(isShared: false)
        _ = self.started.storeIfNil(try Self.start(numberOfLoops, .configuring))
    }

    private init(isShared: Bool) {
        self.isShared = isShared
    }

    /// The loops; starts the shared ones if need be.
    private func loops(for step: SecureSocketError.Step) throws(SecureSocketError) -> [any EventLoop] {
        if let started = self.started.load() { return started.loops }
        return try self.starting.withLock { _ throws(SecureSocketError) in
            if let started = self.started.load() { return started.loops }
            return self.started.storeIfNil(try Self.start(System.coreCount, step)).loops
        }
    }

    private static func start(
        _ numberOfLoops: Int, _ step: SecureSocketError.Step
    ) throws(SecureSocketError) -> Started {
        guard numberOfLoops > 0 else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring, "\(numberOfLoops) event loops are too few; 1 is the least")
        }
        #if os(Linux)
            var loops: [EpollEventLoop] = []
            do {
                for _ in 0..<numberOfLoops {
                    let loop = try EpollEventLoop()
                    try loop.start()
                    loops.append(loop)
                }
            } catch {
                for loop in loops { loop.stop {} }
                guard let number = error.errorNumber else { throw error }
                throw .system(number, step: step, "cannot start the event loops")
            }
            return Started(loops, nil)
        #else
            let group = MultiThreadedEventLoopGroup(numberOfThreads: numberOfLoops)
            return Started(Array(group.makeIterator()), group)
        #endif
    }

    /// The loops, or one that has ended if they cannot be started.
    private var loopsOrStandIn: [any EventLoop] {
        if let started = self.started.load() { return started.loops }
        #if os(Linux)
            return (try? self.loops(for: .configuring)) ?? [EpollEventLoop.standIn]
        #else
            return (try? self.loops(for: .configuring)) ?? Array(MultiThreadedEventLoopGroup.singleton.makeIterator())
        #endif
    }

    /// The loop that the caller runs on, if it is one of these; otherwise the next.
    public func any() -> any EventLoop {
        let loops = self.loopsOrStandIn
        return loops.first { $0.inEventLoop } ?? self.next(of: loops)
    }

    /// Where a task runs whose sockets shall be on the same loop: each call answers the next loop's.
    package func nextLoopTask() -> LoopTask { LoopTask(on: EventLoopExecutor.of(self.next())) }

    /// The loops in turn.
    public func next() -> any EventLoop { self.next(of: self.loopsOrStandIn) }

    private func next(of loops: [any EventLoop]) -> any EventLoop {
        let position = self.position.wrappingAdd(1, ordering: .relaxed).oldValue
        return loops[Int(bitPattern: UInt(bitPattern: position) % UInt(loops.count))]
    }

    public func makeIterator() -> EventLoopIterator { EventLoopIterator(self.loopsOrStandIn) }

    /// Ends the loops: their sockets are closed at once, and nothing can be opened on them any more. Calls that wait end with an error, and
    /// tasks that prefer these loops go on elsewhere. Not possible for ``shared``.
    public func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        guard !self.isShared, let started = self.started.load() else {
            return queue.async { callback(EventLoopError.unsupportedOperation) }
        }
        if let channelGroup = started.channelGroup { return channelGroup.shutdownGracefully(queue: queue, callback) }
        #if os(Linux)
            let stopped = DispatchGroup()
            for case let loop as EpollEventLoop in started.loops {
                stopped.enter()
                loop.stop { stopped.leave() }
            }
            stopped.notify(queue: queue) { callback(nil) }
        #endif
    }
}

extension EventLoopGroup {
    /// The group whose loops a new socket can use: this one, started if need be.
    ///
    /// - Parameter step: The step of the error.
    /// - Throws: ``SecureSocketError``: `tooManyOpenFiles`, if the shared loops cannot be started.
    func started(for step: SecureSocketError.Step) throws(SecureSocketError) -> any EventLoopGroup {
        #if os(Linux)
            // The caller got it in place of a shared loop.
            if self as? EpollEventLoop === EpollEventLoop.standIn { return try SocketEventLoopGroup.shared.started(for: step) }
        #endif
        #if os(Linux)
            if self is EpollEventLoop { return self }
        #endif
        if let group = self as? SocketEventLoopGroup {
            try group.start(for: step)
        } else if ClientBootstrap(validatingGroup: self) == nil {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: step, "event loops of type \(type(of: self)) cannot carry sockets",
                advice: "Use SocketEventLoopGroup.shared, or a MultiThreadedEventLoopGroup")
        }
        return self
    }
}

extension SocketEventLoopGroup {
    fileprivate func start(for step: SecureSocketError.Step) throws(SecureSocketError) {
        _ = try self.loops(for: step)
    }
}
