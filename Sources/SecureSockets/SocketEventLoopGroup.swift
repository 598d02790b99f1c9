public import Dispatch
public import NIOCore
import NIOPosix
import Synchronization

/// The event loops on which sockets run by default. Each loop has a thread of its own.
///
/// On Linux, these are the library's own loops over epoll, on which a connection takes a fraction of the time and memory of a NIO channel.
/// On other platforms, they are NIO's. Futures, timers and tasks work on them as on any NIO event loop, but NIO's bootstraps do not.
/// Sockets can also run on the loops of a `MultiThreadedEventLoopGroup`.
public final class SocketEventLoopGroup: EventLoopGroup {
    /// The loops of a started group.
    private final class Started: Sendable {
        let loops: [any EventLoop]
        /// NIO's group, if the loops are NIO's.
        let channelGroup: MultiThreadedEventLoopGroup?

        init(_ loops: [any EventLoop], _ channelGroup: MultiThreadedEventLoopGroup?) {
            self.loops = loops
            self.channelGroup = channelGroup
        }
    }

    private let started = AtomicLazyReference<Started>()
    /// Held while the shared loops are started, so that they are started once.
    private let starting = Mutex(())
    private let position = Atomic<Int>(0)
    private let isShared: Bool

    /// The shared group of the process, with one loop per core. It is never shut down.
    ///
    /// The loops are started on first use. If they cannot be started for lack of file descriptors, the call that needs them throws an
    /// error, and the next call tries again. The methods of `EventLoopGroup` that cannot throw then return a loop that runs tasks, but on
    /// which scheduled tasks fail and nothing can be opened.
    public static let shared = SocketEventLoopGroup(isShared: true)

    /// Creates a group and starts its event loops.
    ///
    /// - Parameter numberOfLoops: The number of loops, each with a thread of its own; at least 1. Default: the number of cores.
    /// - Throws: ``SecureSocketError``: `invalidArgument`, `tooManyOpenFiles`.
    public convenience init(numberOfLoops: Int = System.coreCount) throws(SecureSocketError) {
        self.init(isShared: false)
        _ = self.started.storeIfNil(try Self.start(numberOfLoops, .configuring))
    }

    private init(isShared: Bool) {
        self.isShared = isShared
    }

    /// Returns the loops. Starts the shared ones if necessary.
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

    /// The loops or, if they cannot be started, one that has ended.
    private var loopsOrStandIn: [any EventLoop] {
        if let started = self.started.load() { return started.loops }
        #if os(Linux)
            return (try? self.loops(for: .configuring)) ?? [EpollEventLoop.standIn]
        #else
            return (try? self.loops(for: .configuring)) ?? Array(MultiThreadedEventLoopGroup.singleton.makeIterator())
        #endif
    }

    /// Returns the caller's loop if it belongs to this group, and the next one otherwise.
    public func any() -> any EventLoop {
        let loops = self.loopsOrStandIn
        return loops.first { $0.inEventLoop } ?? self.next(of: loops)
    }

    /// Returns a loop task on the next loop, for a task whose sockets are to be on the same loop.
    package func nextLoopTask() -> LoopTask { LoopTask(on: EventLoopExecutor.of(self.next())) }

    /// Returns the next loop, in rotation.
    public func next() -> any EventLoop { self.next(of: self.loopsOrStandIn) }

    private func next(of loops: [any EventLoop]) -> any EventLoop {
        let position = self.position.wrappingAdd(1, ordering: .relaxed).oldValue
        return loops[Int(bitPattern: UInt(bitPattern: position) % UInt(loops.count))]
    }

    public func makeIterator() -> EventLoopIterator { EventLoopIterator(self.loopsOrStandIn) }

    /// Shuts down the loops. Their sockets are closed at once, and nothing can be opened on them afterwards.
    ///
    /// Waiting calls fail with an error. Tasks that prefer these loops continue on other threads. The ``shared`` group cannot be shut down.
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
    /// Returns the group for a new socket: this one, started if necessary.
    ///
    /// - Parameter step: The step that the error reports.
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
