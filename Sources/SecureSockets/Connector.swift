import NIOCore

/// Connects to a host: looks its name up and races its addresses. Everything is called on the connector's loop.
protocol Connector: AnyObject {
    /// Begins. `completion` runs once, on the loop, unless it is given up before.
    func start(_ target: ConnectTarget, completion: @escaping (Result<ConnectedTransport, any Error>) -> Void)
    /// Ends all that is under way.
    func giveUp()
}

/// Where to connect to.
struct ConnectTarget {
    enum Host {
        case address(SocketAddress)
        case name(String)
    }

    let host: Host
    let port: Int
    /// Where to connect from; nil: the operating system chooses.
    let local: SocketAddress?
}

/// A transport that is connected and belongs to nobody yet.
struct ConnectedTransport {
    /// Makes the connection.
    let begin: (@escaping (any Transport) -> Connection?) throws -> Void
    let close: () -> Void
}

/// Nothing answered.
struct ConnectFailure: Error {
    /// Of the lookups that failed.
    var lookups: [HostResolver.Failure] = []
    /// The errors of the addresses that were tried.
    var attempts: [Int32] = []
    var isTimeout = false
}
