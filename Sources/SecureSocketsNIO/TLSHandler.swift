import DequeModule
public import NIOCore
import NIOTLS
public import SecureSockets
import TLSEngine

/// TLS in a channel's pipeline: the common part of ``TLSServerHandler`` and ``TLSClientHandler``.
///
/// The handshake begins when the channel is active, or when the handler is added to an active channel. Its end is announced by NIO's
/// `TLSUserEvent.handshakeCompleted(negotiatedProtocol:)`; a failed one by one error, a ``SecureSocketError``, after which the channel is
/// closed. Writes before the end of the handshake are kept in order and sent after it (``TLSHandlerOptions/maximumHeldBytes``).
///
/// Bytes are encrypted when they are written. Those that are not flushed stay in the handler up to 64 KiB, and are then passed on without a
/// flush, so that the channel's writability counts them. A connection without traffic has no buffers.
///
/// `close()` sends `close_notify` and waits for the peer's, for at most ``TLSHandlerOptions/shutdownTimeout``; what arrives meanwhile is
/// discarded. `close(mode: .output)` sends `close_notify` and ends the channel's output; bytes still arrive. A peer's `close_notify` closes
/// the channel, or, if the channel allows half-closure, is reported as `ChannelEvent.inputClosed`. If the peer's stream ends without
/// `close_notify`, an error with the code `truncated` is fired: data may be missing.
///
/// Theory of operation. `ChannelTLSMachine` decides, this class performs: `TLSHandler+Handshake.swift`, `TLSHandler+Input.swift` and
/// `TLSHandler+Closing.swift` have the parts. Every call of another handler may call this one again, so that the state is changed before
/// it, and read again after it.
public class TLSHandler: ChannelDuplexHandler, RemovableChannelHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    let role: TLSSettings.Role
    let options: TLSHandlerOptions
    let decisions: DecisionLimits?
    /// The handshake and the connection in the statistics of a configuration; nil if they are not counted.
    var counted: CountedHandshake?
    // Unchecked exclusivity is sound: a handler is used on its loop only, and no access to these properties calls code that accesses them again.
    @exclusivity(unchecked) var machine = ChannelTLSMachine()
    /// Nil before the handshake begins, and after the handler was removed.
    @exclusivity(unchecked) var engine: TLSEngine?
    @exclusivity(unchecked) var context: ChannelHandlerContext?
    var held = HeldWrites()
    /// Encrypted bytes of the write in progress that precede the engine's output; otherwise empty.
    @exclusivity(unchecked) private var finishedOutput = Deque<ByteBuffer>()
    /// The promises of writes whose bytes are in the engine's output.
    @exclusivity(unchecked) private var unsentPromises: [EventLoopPromise<Void>] = []
    var closePromise: EventLoopPromise<Void>?
    var closeOutputPromise: EventLoopPromise<Void>?
    /// The time limit of the handshake, or of closing.
    var timer: HandlerTimer?
    /// The decision of the program that the handshake waits for, and its number.
    var decision: DecisionRun?
    var lastDecision = 0
    var hasSentCloseNotify = false
    /// Whether the peer has sent anything.
    var peerHasSpoken = false
    /// Whether the program has asked for bytes and has not received any since.
    @exclusivity(unchecked) var isReadRequested = false
    /// Whether the channel's reads were held back while the program decided.
    var hasWithheldRead = false
    var isCompletingHandshake = false
    var peerHasSentCloseNotify = false
    /// Whether the program has received bytes and not yet been told that the read is complete.
    @exclusivity(unchecked) var hasDelivered = false
    @exclusivity(unchecked) var isDecrypting = false
    /// Whether reading has produced output, such as the answer to a key update, that no flush of the program will send.
    var hasOutputOfItsOwn = false
    var isChannelInactive = false
    /// The address, kept for messages.
    private var remoteAddress: SocketAddress?

    /// The number of encrypted bytes that wait for a flush, above which they are passed on to the channel.
    private static let largestUnflushedOutput = 64 << 10
    /// The bytes of one write that are encrypted into one buffer: whole records which, with what records add, fit into 128 KiB.
    private static let largestPiece = 7 * TLSEngine.largestPlaintext

    init(role: TLSSettings.Role, options: TLSHandlerOptions, decisions: DecisionLimits?) {
        self.role = role
        self.options = options
        self.decisions = decisions
    }

    // MARK: The role's part

    /// Creates the engine, when the channel is active.
    func makeEngine(for channel: any Channel) throws(SecureSocketError) -> TLSEngine {
        throw SecureSocketError(.invalidConfiguration, blame: .caller, step: .configuring, "this handler has no role")
    }

    /// The peer as the program named it.
    var peerName: String? { nil }

    /// The peer's name in errors.
    var peerText: String {
        let address = self.remoteAddress.flatMap { address in
            address.ipAddress.map {
                address.port.map { [address = $0] port in "\(address.contains(":") ? "[\(address)]" : address):\(port)" } ?? $0
            }
        }
        return self.peerName ?? address ?? (self.role == .server ? "a client" : "the server")
    }

    // MARK: Information

    /// The parameters that the handshake negotiated; nil until it is complete. Use it on the channel's event loop.
    public var information: ConnectionInformation? { self.engine?.negotiated.map { ConnectionInformation($0) } }

    /// Derives keying material that only the two ends of the connection can derive (RFC 8446 §7.5, RFC 5705). Use it on the channel's event
    /// loop, after the handshake.
    ///
    /// - Parameters:
    ///   - label: The label, which names the purpose.
    ///   - context: The context; an empty one differs from none in TLS 1.2.
    ///   - length: The number of bytes, at most 65,536.
    /// - Throws: ``SecureSocketError`` with the code `closed` if there is no connection, `invalidConfiguration` if the material would not be
    ///   unique to this connection (TLS 1.2 without RFC 7627), or `invalidArgument`.
    public func exportKeyingMaterial(
        label: String, context: [UInt8]? = nil, length: Int
    ) throws(SecureSocketError) -> [UInt8] {
        guard let engine, engine.negotiated != nil else {
            throw SecureSocketError(
                .closed, blame: .caller, step: .handshake, "there is no connection whose handshake is complete")
        }
        return try engine.keyingMaterial(label: label, context: context, length: length, peer: self.peerText)
    }

    // MARK: The channel's life

    public func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { self.begin(context) }
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        self.machine.close()
        self.context = nil
        self.cancelWaiting()
        self.failWrites(ChannelError.ioOnClosedChannel)
        self.completeClosing()
        self.counted?.gone()
        self.engine = nil
    }

    public func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        self.begin(context)
    }

    private func begin(_ context: ChannelHandlerContext) {
        // A handler that was called before may have closed the channel.
        guard self.context != nil, context.channel.isActive, self.machine.activate() else { return }
        self.remoteAddress = context.channel.remoteAddress
        self.beginHandshake(context)
    }

    /// Ends what this handler waits for.
    func cancelWaiting() {
        self.timer?.cancel()
        self.timer = nil
        self.decision?.cancel()
        self.decision = nil
    }

    // MARK: Output

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = TLSHandler.unwrapOutboundIn(data)
        switch self.machine.write {
        case .hold: self.hold(bytes, promise, context)
        case .send:
            self.encryptHeldWrites(context)
            self.encrypt(bytes, promise, context)
        case .refuseOutputClosed: promise?.fail(ChannelError.outputClosed)
        case .refuseClosed: promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    public func flush(context: ChannelHandlerContext) {
        switch self.machine.write {
        case .hold: self.held.isFlushed = !self.held.isEmpty
        case .send, .refuseOutputClosed, .refuseClosed: self.passOutputOn(context, flush: true)
        }
    }

    private func hold(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        self.held.append(bytes, promise)
        guard self.held.cost > self.options.maximumHeldBytes else { return }
        self.fail(
            SecureSocketError(
                .invalidArgument, blame: .caller, step: .sending,
                "more than \(self.options.maximumHeldBytes) bytes were written before the handshake with \(self.peerText) was complete",
                advice: "Wait for TLSUserEvent.handshakeCompleted before writing much, or raise maximumHeldBytes"), context)
    }

    /// Encrypts what was written before the handshake was complete. A handler that is called in the middle of it, because the channel is not
    /// writable any more, may write and close: that comes after all of these.
    func encryptHeldWrites(_ context: ChannelHandlerContext) {
        while self.machine.write == .send, let (bytes, promise) = self.held.popFirst() { self.encrypt(bytes, promise, context) }
    }

    /// Encrypts bytes, and passes them on once there are many.
    private func encrypt(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        guard let engine else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        do throws(TLSFailure) {
            var rest = bytes
            while rest.readableBytes > Self.largestPiece, let piece = rest.readSlice(length: Self.largestPiece) {
                try Self.write(piece, to: engine)
                // Not passed on yet: other handlers may then write, into the middle of this write.
                if let output = engine.takeOutput() { self.finishedOutput.append(output) }
            }
            try Self.write(rest, to: engine)
            if let promise { self.unsentPromises.append(promise) }
            if !self.finishedOutput.isEmpty || engine.pendingOutput >= Self.largestUnflushedOutput {
                self.passOutputOn(context, flush: false)
            }
        } catch {
            let failure = SecureSocketError(error, role: self.role, step: .sending, peer: self.peerText)
            promise?.fail(failure)
            self.fail(failure, context)
        }
    }

    /// The number of bytes from which a buffer is worth being used again.
    private static let leastForReuse = 8 << 10

    private static func write(_ bytes: ByteBuffer, to engine: TLSEngine) throws(TLSFailure) {
        if bytes.readableBytes >= Self.leastForReuse, engine.pendingOutput == 0, let buffer = OutputBuffers.shared.take() {
            engine.useForOutput(buffer)
        }
        let result = bytes.withUnsafeReadableBytes { source -> Result<Void, TLSFailure> in
            do throws(TLSFailure) {
                return .success(try engine.write(source))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Passes what was encrypted on to the channel.
    func passOutputOn(_ context: ChannelHandlerContext, flush: Bool, sent: EventLoopPromise<Void>? = nil) {
        self.hasOutputOfItsOwn = false
        if let sent { self.unsentPromises.append(sent) }
        while let output = self.finishedOutput.popFirst() {
            OutputBuffers.shared.keep(output)
            context.write(NIOAny(output), promise: nil)
        }
        let output = self.engine?.takeOutput()
        if let output, output.readableBytes >= Self.leastForReuse { OutputBuffers.shared.keep(output) }
        if output != nil || !self.unsentPromises.isEmpty {
            let promises = self.unsentPromises
            if !promises.isEmpty { self.unsentPromises = [] }
            let promise = Self.combined(promises, context)
            if flush { return context.writeAndFlush(NIOAny(output ?? ByteBuffer()), promise: promise) }
            context.write(NIOAny(output ?? ByteBuffer()), promise: promise)
        }
        if flush { context.flush() }
    }

    private static func combined(
        _ promises: [EventLoopPromise<Void>], _ context: ChannelHandlerContext
    ) -> EventLoopPromise<Void>? {
        guard promises.count > 1 else { return promises.first }
        let all = context.eventLoop.makePromise(of: Void.self)
        all.futureResult.whenComplete { result in for promise in promises { promise.completeWith(result) } }
        return all
    }

    /// Fails the writes that cannot be sent any more.
    func failWrites(_ error: any Error) {
        while let (_, promise) = self.held.popFirst() { promise?.fail(error) }
        let promises = self.unsentPromises
        self.unsentPromises = []
        for promise in promises { promise.fail(error) }
    }
}

@available(*, unavailable) extension TLSHandler: Sendable {}

extension TLSHandler: NIOOutboundByteBufferingChannelHandler {
    /// The number of bytes that wait for the end of the handshake or for a flush.
    public var outboundBufferedBytes: Int { self.held.byteCount + (self.engine?.pendingOutput ?? 0) }
}

extension TLSHandler: NIOInboundByteBufferingChannelHandler {
    /// The number of bytes that have arrived and that the program has not asked for.
    public var inboundBufferedBytes: Int { self.engine?.unreadInput ?? 0 }
}
