import NIOCore
import NIOPosix
import SocketCore

/// A transport over a NIO channel: the only handler in the channel's pipeline.
///
/// The channel is given only one piece at a time that the operating system does not take at once. Bytes written in the meantime wait here,
/// where small records share their memory (`OutputQueue`). The channel would keep each in a separate buffer with a promise.
final class ChannelTransport: ChannelInboundHandler, Transport {
    typealias InboundIn = ByteBuffer

    private var connection: Connection?
    private var context: ChannelHandlerContext?
    private let channel: any Channel
    private(set) var localAddress: SocketAddress?
    private(set) var remoteAddress: SocketAddress?
    private let outputLimit: Int
    private var isReading = false
    private var isClosed = false
    /// The number of bytes in the channel when it could not write all of them; 0 when it has written everything.
    private var bytesInChannel = 0
    private var unsent = OutputQueue()
    private var wasFull = false
    /// Runs when everything that was written has been handed over.
    private var finishing: (() -> Void)?
    /// Creates the connection when the channel is connected.
    private var connect: ((ChannelTransport) -> Connection?)?

    /// Creates a transport. The channel must not read automatically (`autoRead`).
    init(_ channel: any Channel, options: SocketOptions, connect: @escaping (ChannelTransport) -> Connection?) {
        self.channel = channel
        self.outputLimit = options.outputLimit
        self.connect = connect
    }

    var eventLoop: any EventLoop { self.channel.eventLoop }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { self.begin() }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.begin()
    }

    private func begin() {
        guard self.connect != nil else { return }
        self.localAddress = self.channel.localAddress
        self.remoteAddress = self.channel.remoteAddress
        self.connection = self.connect?(self)
        // The closure may refer to the connection by now.
        self.connect = nil
        guard let connection else { return self.close() }
        EventLoopExecutor.of(self.eventLoop).addChannelConnection(connection)
        connection.transportBegan()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.connect = nil
        self.unsent.removeAll()
        self.allIsSent()
        self.endConnection()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.connection?.transportDelivered(Self.unwrapInboundIn(data))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { self.connection?.transportEnded() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.connection?.transportBroke(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.endConnection()
    }

    private func endConnection() {
        guard let connection else { return }
        self.connection = nil
        connection.executor.removeChannelConnection(connection)
        connection.transportClosed()
    }

    // MARK: Transport

    var isWritable: Bool { self.bytesInChannel + self.unsent.byteCount < self.outputLimit }

    var unsentBytes: Int { self.channelBytes + self.unsent.byteCount }

    private var channelBytes: Int { (try? self.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }

    #if os(Linux)
        var acknowledgedBytes: UInt64 {
            // `tcpi_bytes_acked`.
            self.tcpInformation[15]
        }

        var unacknowledgedBytes: Int {
            let information = self.tcpInformation
            // `tcpi_unacked` counts segments; each has at most `tcpi_snd_mss` bytes.
            let (segments, segmentSize) = (Int(information[3] & 0xffff_ffff), Int(information[2] & 0xffff_ffff))
            let notSent = Int(information[18] & 0xffff_ffff)
            return segments * max(segmentSize, 1) + notSent
        }

        /// `struct tcp_info` of linux/tcp.h in 64-bit words, which are little-endian on all platforms of Swift. Zeros follow what the
        /// kernel returns, and are returned if it fails.
        private var tcpInformation: SIMD32<UInt64> {
            var words = SIMD32<UInt64>.zero
            let information: EventLoopFuture<SIMD32<UInt64>>? = (self.channel as? any SocketOptionProvider)?
                .unsafeGetSocketOption(level: .tcp, name: .tcp_info)
            // On the loop the result is available at once.
            information?.assumeIsolated().whenSuccess { words = $0 }
            return words
        }
    #elseif canImport(Darwin)
        var acknowledgedBytes: UInt64 {
            // What is in the buffers counts down.
            .max - UInt64(self.unacknowledgedBytes)
        }

        var unacknowledgedBytes: Int {
            var count = 0
            let information = (self.channel as? any SocketOptionProvider)?.getTCPConnectionInfo()
            information?.assumeIsolated().whenSuccess { count = Int($0.tcpi_snd_sbbytes) }
            return count
        }
    #else
        var acknowledgedBytes: UInt64 { 0 }
        var unacknowledgedBytes: Int { 0 }
    #endif

    func write(_ bytes: ByteBuffer) {
        guard self.context != nil else { return }
        if self.bytesInChannel == 0 {
            self.give(bytes)
        } else {
            self.unsent.append(bytes)
        }
        if !self.isWritable { self.wasFull = true }
    }

    /// Hands a piece to the channel and, if it could not be written at once, requests a notification when it has been.
    private func give(_ bytes: ByteBuffer) {
        self.whileReading { self.context?.writeAndFlush(NIOAny(bytes), promise: nil) }
        let rest = self.channelBytes
        guard rest > 0, let context else { return }
        self.bytesInChannel = rest
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in self.channelHasWritten() }
        // A piece without bytes is written after those before it.
        context.writeAndFlush(NIOAny(ByteBuffer()), promise: written)
    }

    private func channelHasWritten() {
        self.bytesInChannel = 0
        if self.isClosed { self.unsent.removeAll() }
        while self.bytesInChannel == 0, let next = self.unsent.popFirst() { self.give(next) }
        if self.bytesInChannel == 0 { self.allIsSent() }
        guard self.wasFull, self.bytesInChannel + self.unsent.byteCount <= self.outputLimit / 2 else { return }
        self.wasFull = false
        self.connection?.transportDrained()
    }

    /// Runs `body` while the channel reads. A channel whose write fails reads what the operating system still has only in this state and
    /// discards it otherwise, so what the peer sent before it reset the connection would be lost.
    private func whileReading(_ body: () -> Void) {
        if self.isReading { return body() }
        try? self.channel.syncOptions?.setOption(.autoRead, value: true)
        body()
        if !self.isReading { try? self.channel.syncOptions?.setOption(.autoRead, value: false) }
    }

    func closeWriting(with bytes: ByteBuffer?, completion: @escaping () -> Void) {
        guard self.context != nil else { return completion() }
        if let bytes { self.write(bytes) }
        self.finishing = completion
        if self.bytesInChannel == 0 { self.allIsSent() }
    }

    private func allIsSent() {
        guard let finishing else { return }
        self.finishing = nil
        finishing()
        // If the peer's side has also ended by now, this has closed everything, or closes it. Nothing is lost.
        if !self.isClosed { self.context?.close(mode: .output, promise: nil) }
    }

    func setReading(_ isReading: Bool) {
        guard isReading != self.isReading else { return }
        self.isReading = isReading
        try? self.channel.syncOptions?.setOption(.autoRead, value: isReading)
    }

    func reset() {
        _ = (self.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        self.close()
    }

    func replaceConnection(with connection: Connection) {
        if let former = self.connection { former.executor.removeChannelConnection(former) }
        self.connection = connection
        connection.executor.addChannelConnection(connection)
    }

    func setNoDelay(_ isOn: Bool, completion: @escaping (Result<Void, SecureSocketError>) -> Void) {
        if self.remoteAddress?.isUnix ?? false { return completion(.success(())) }
        do {
            try self.channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: isOn ? 1 : 0)
            completion(.success(()))
        } catch {
            completion(.failure(.transport(error, step: .configuring, "cannot set TCP_NODELAY")))
        }
    }

    func close() {
        self.isClosed = true
        self.context?.close(mode: .all, promise: nil)
    }
}
