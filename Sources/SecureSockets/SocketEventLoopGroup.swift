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
    /// NIO's group, where the loops are NIO's.
    private let channelGroup: MultiThreadedEventLoopGroup?

    /// The loops of this program: as many as the machine has cores. Never shut down.
    public static let shared = SocketEventLoopGroup.ofProgram()

    /// Starts event loops.
    ///
    /// - Parameter numberOfLoops: At least 1; each is a thread. Default: as many as the machine has cores.
    /// - Throws: ``SecureSocketError``: `invalidArgument`, `tooManyOpenFiles`.
    public convenience init(numberOfLoops: Int = System.coreCount) throws(SecureSocketError) {
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
                    loops.append(loop)
                    try loop.start()
                }
            } catch {
                for loop in loops { loop.stop {} }
                throw error
            }
            self.init(loops, nil)
        #else
            let group = MultiThreadedEventLoopGroup(numberOfThreads: numberOfLoops)
            self.init(Array(group.makeIterator()), group)
        #endif
    }

    private init(_ loops: [any EventLoop], _ channelGroup: MultiThreadedEventLoopGroup?) {
        self.loops = loops
        self.channelGroup = channelGroup
    }

    /// A machine without descriptors to spare still gets NIO's loops, which were made before or will say what is wrong.
    private static func ofProgram() -> SocketEventLoopGroup {
        (try? SocketEventLoopGroup()) ?? SocketEventLoopGroup(Array(MultiThreadedEventLoopGroup.singleton.makeIterator()), nil)
    }

    /// The loops in turn.
    public func next() -> any EventLoop {
        let position = self.position.wrappingAdd(1, ordering: .relaxed).oldValue
        return self.loops[Int(bitPattern: UInt(bitPattern: position) % UInt(self.loops.count))]
    }

    public func makeIterator() -> EventLoopIterator { EventLoopIterator(self.loops) }

    /// Ends the loops: their sockets are closed at once, and no task runs on them any more. Not possible for ``shared``.
    public func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        guard self !== Self.shared else { return queue.async { callback(EventLoopError.unsupportedOperation) } }
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
