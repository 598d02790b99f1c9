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
    private let loops: [any EventLoop]
    private let position = Atomic<Int>(0)
    private let isShared: Bool
    /// NIO's group, where the loops are NIO's.
    private let channelGroup: MultiThreadedEventLoopGroup?

    /// The loops of this program: as many as the machine has cores. Never shut down.
    public static let shared = SocketEventLoopGroup.ofProgram()

    /// Starts event loops.
    ///
    /// - Parameter numberOfLoops: At least 1; each is a thread. Default: as many as the machine has cores.
    /// - Throws: ``SecureSocketError``: `invalidArgument`, `tooManyOpenFiles`.
    public convenience init(numberOfLoops: Int = System.coreCount) throws(SecureSocketError) {
        let (loops, channelGroup) = try Self.start(numberOfLoops)
        self.init(loops, channelGroup, isShared: false)
    }

    private init(_ loops: [any EventLoop], _ channelGroup: MultiThreadedEventLoopGroup?, isShared: Bool) {
        self.loops = loops
        self.channelGroup = channelGroup
        self.isShared = isShared
    }

    /// A machine without descriptors to spare still gets NIO's loops, which were made before or will say what is wrong.
    private static func ofProgram() -> SocketEventLoopGroup {
        let (loops, channelGroup) =
            (try? Self.start(System.coreCount)) ?? (Array(MultiThreadedEventLoopGroup.singleton.makeIterator()), nil)
        return SocketEventLoopGroup(loops, channelGroup, isShared: true)
    }

    private static func start(
        _ numberOfLoops: Int
    ) throws(SecureSocketError) -> (loops: [any EventLoop], channelGroup: MultiThreadedEventLoopGroup?) {
        guard numberOfLoops > 0 else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring, "\(numberOfLoops) event loops are too few; 1 is the least",
                classicReason: "einval")
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
                throw error
            }
            return (loops, nil)
        #else
            let group = MultiThreadedEventLoopGroup(numberOfThreads: numberOfLoops)
            return (Array(group.makeIterator()), group)
        #endif
    }

    /// The loop that the caller runs on, if it is one of these; otherwise the next.
    public func any() -> any EventLoop { self.loops.first { $0.inEventLoop } ?? self.next() }

    /// Where a task runs whose sockets shall be on the same loop: each call answers the next loop's.
    package func nextLoopTask() -> LoopTask { LoopTask(on: LoopTurn.of(self.next())) }

    /// The loops in turn.
    public func next() -> any EventLoop {
        let position = self.position.wrappingAdd(1, ordering: .relaxed).oldValue
        return self.loops[Int(bitPattern: UInt(bitPattern: position) % UInt(self.loops.count))]
    }

    public func makeIterator() -> EventLoopIterator { EventLoopIterator(self.loops) }

    /// Ends the loops: their sockets are closed at once, and nothing can be opened on them any more. Calls that wait end with an error, and
    /// tasks that prefer these loops go on elsewhere. Not possible for ``shared``.
    public func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        guard !self.isShared else { return queue.async { callback(EventLoopError.unsupportedOperation) } }
        if let channelGroup { return channelGroup.shutdownGracefully(queue: queue, callback) }
        #if os(Linux)
            let stopped = DispatchGroup()
            for case let loop as EpollEventLoop in self.loops {
                stopped.enter()
                loop.stop { stopped.leave() }
            }
            stopped.notify(queue: queue) { callback(nil) }
        #endif
    }
}
