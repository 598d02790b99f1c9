import NIOCore
import NIOPosix
import SecureSockets

/// The event loops on which a test runs.
enum EventLoops: CaseIterable, Sendable {
    case own, ofNIO

    var group: any EventLoopGroup { self == .own ? SocketEventLoopGroup.shared : .singletonMultiThreadedEventLoopGroup }
}
