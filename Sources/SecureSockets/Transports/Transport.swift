import NIOCore

/// The stream under a connection. All members are used on `eventLoop`.
///
/// The transport reports to its connection: `transportDelivered`, `transportDrained`, `transportEnded`, `transportBroke` and, as the last
/// report, `transportClosed`.
protocol Transport: AnyObject {
    var eventLoop: any EventLoop { get }
    /// The local and the peer's address; nil if there are no addresses.
    var localAddress: SocketAddress? { get }
    var remoteAddress: SocketAddress? { get }
    /// Whether more may be written now. `transportDrained` reports when this becomes true again.
    var isWritable: Bool { get }
    /// The number of written bytes that the operating system has not yet taken.
    var unsentBytes: Int { get }
    /// Increases whenever the peer has acknowledged something; 0 if the operating system does not report it. Bytes that the operating
    /// system has taken are not yet with the peer: megabytes may be in its buffers, and a peer may be slow.
    var acknowledgedBytes: UInt64 { get }
    /// An upper bound of the bytes that the operating system has taken and the peer's has not acknowledged, counting the end of the stream
    /// as one. 0 only if there are none, or if the operating system does not report it.
    var unacknowledgedBytes: Int { get }
    /// Whether bytes have arrived that were not handed to the connection; false if the operating system is not queried.
    var hasUnreadBytes: Bool { get }
    /// Queues bytes and sends what is queued.
    func write(_ bytes: ByteBuffer)
    /// Queues bytes, if there are any, sends what is queued, and then ends this side's stream. `completion` runs when everything has been
    /// handed over, or can no longer be.
    func closeWriting(with bytes: ByteBuffer?, completion: @escaping () -> Void)
    /// Starts or pauses reading. While paused, arriving bytes stay in the network.
    func setReading(_ isReading: Bool)
    func setNoDelay(_ isOn: Bool, completion: @escaping (Result<Void, SecureSocketError>) -> Void)
    /// Drops everything at once.
    func close()
    /// Drops everything at once, so that the peer sees a reset and not the end of the stream.
    func reset()
    /// Reports to another connection from now on.
    func replaceConnection(with connection: Connection)
}

extension Transport {
    var hasUnreadBytes: Bool { false }
    func reset() { self.close() }
}
