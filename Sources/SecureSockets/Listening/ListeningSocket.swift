/// A listening socket, from which an acceptor gets its connections. Its functions can be called on any thread.
///
/// Before it accepts a connection, it calls `Acceptor.admit`, and afterwards `makeConnection` on the connection's loop, or `notTaken` or
/// `ranShort`. When it is closed, it calls `portIsFree`.
protocol ListeningSocket: AnyObject, Sendable {
    /// Calls `Acceptor.admit` again, because more connections may be admitted now.
    func wake()
    /// Stops listening.
    ///
    /// - Parameter takingQueue: Whether to take the connections in the operating system's queue first, as far as the acceptor admits them.
    ///   Closing resets the others.
    func close(takingQueue: Bool)
}
