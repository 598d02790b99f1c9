import NIOCore

/// What a connection needs of whatever carries its bytes. Everything is called on `eventLoop`.
///
/// The transport reports to its connection: `transportDelivered`, `transportDrained`, `transportEnded`, `transportBroke` and, as
/// the last of all, `transportClosed`.
protocol Transport: AnyObject {
    var eventLoop: any EventLoop { get }
    /// Where it is and where its peer is; nil where there are no addresses.
    var localAddress: SocketAddress? { get }
    var remoteAddress: SocketAddress? { get }
    /// Whether more may be written now; when this becomes true again, `transportDrained` says so.
    var isWritable: Bool { get }
    /// Bytes that were written and that the operating system has not taken yet.
    var unsentBytes: Int { get }
    /// Grows whenever the peer has taken something; 0 if the operating system does not tell. What it has taken over is not yet with
    /// the peer: megabytes may be in its buffers, and a slow peer takes its time.
    var acknowledgedBytes: UInt64 { get }
    /// An upper bound of the bytes that the operating system has taken and the peer's has not acknowledged, the end of the stream counted as
    /// one; 0 only if there are none, or if the operating system does not tell.
    var unacknowledgedBytes: Int { get }
    /// Whether bytes have arrived that were not handed to the connection; false where the operating system is not asked.
    var hasUnreadBytes: Bool { get }
    /// Queues bytes and sends what is queued.
    func write(_ bytes: ByteBuffer)
    /// Queues bytes, if there are any, sends what is queued, and then ends this side's stream; `completion` runs when all of it
    /// has been handed over, or cannot be any more.
    func closeWriting(with bytes: ByteBuffer?, completion: @escaping () -> Void)
    /// Reads on, or leaves what comes to the network.
    func setReading(_ isReading: Bool)
    func setNoDelay(_ isOn: Bool, completion: @escaping (Result<Void, SecureSocketError>) -> Void)
    /// Drops everything at once.
    func close()
}

extension Transport {
    var hasUnreadBytes: Bool { false }
}
