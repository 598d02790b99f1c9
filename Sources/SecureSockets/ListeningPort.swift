/// Where an acceptor's connections come from. Everything is called on the acceptor's loop.
///
/// It reports to its acceptor: `taken` and, when the connection has been made, `makeConnection`; `readCompleted` when it has taken what
/// it was asked for; `readFailed`; and `portIsFree` as the last of all.
protocol ListeningPort: AnyObject {
    /// Takes one more connection from the operating system's queue, as soon as there is one.
    func takeOne()
    /// Takes that back.
    func pause()
    func close()
}
