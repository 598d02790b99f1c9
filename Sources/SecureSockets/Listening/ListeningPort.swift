/// The listening socket that an acceptor's connections come from. Its functions can be called on any thread.
///
/// For each connection it asks `Acceptor.admit`, and then reports `Acceptor.makeConnection` on the connection's loop, or `notTaken` or
/// `ranShort`; and `portIsFree` when it is closed.
protocol ListeningPort: AnyObject, Sendable {
    /// Asks the acceptor again: more connections may be wanted.
    func wake()
    /// Stops listening.
    ///
    /// - Parameter takingQueue: Connections that are complete and wait in the operating system's queue are taken first, as far as the
    ///   acceptor admits them; closing resets those that are left.
    func close(takingQueue: Bool)
}
