import NIOCore
import SocketCore
import Synchronization
import TLSEngine

/// One connection, from the first byte of its handshake to the last byte delivered. Decisions of `TLSEngine` and `ConnectionMachine` are
/// put into effect only here.
///
/// Theory of operation. Everything happens on the connection's event loop, in ticks (`EventLoopExecutor`). Bytes from the transport go into
/// the engine; the engine decrypts directly into the machine's queue; `settle` hands out what the machine says is due, to waiting calls or
/// to the owner's mailbox. Outgoing data is encrypted at once, into the engine's output, and is written at the end of the tick (`flush`),
/// at most `sendHighWaterMark` bytes per tick, so that no connection keeps the loop from the others. Above that mark, and while the
/// operating system takes no more, units wait in `sendQueue`.
///
/// Reading and writing are independent: a failed write does not affect data that has arrived.
///
/// The handshake, the open connection and closing are states of `ClosingMachine`. While closing, calls have ended but accepted data is
/// still being delivered (`Connection+Closing.swift`).
///
/// Sendable without a check because all of its state is used on `loop` only. Public calls enter through `onLoop`.
final class Connection: @unchecked Sendable {
    let loop: any EventLoop
    let executor: EventLoopExecutor
    let transport: any Transport
    let engine: StreamEngine
    /// The engine, if the connection is secure.
    var tls: TLSEngine? { self.engine as? TLSEngine }
    var role: TLSSettings.Role { self.tls?.context.settings.role ?? .client }
    let options: SocketOptions
    /// Whether the stream is divided into packets: asked for every message.
    let isFramed: Bool
    /// The peer as the caller specified it; nil for an accepted connection.
    let peerName: String?
    /// Stored, because they are available also after the connection has gone.
    private let localAddress: SocketAddress?
    let remoteAddress: SocketAddress?

    // Created on request, because most connections never need them.
    var localEndpoint: SocketEndpoint? { SocketEndpoint(self.localAddress) }
    var remoteEndpoint: SocketEndpoint? { SocketEndpoint(self.remoteAddress) }
    /// The peer's name in errors: as specified by the caller, or its address.
    var peerText: String { self.peerName ?? self.remoteEndpoint?.description ?? "a client" }

    // Unchecked exclusivity is sound for what is used on the loop only, by code that calls nothing of this object during an access. The
    // checks took 3 to 5 % of a small message's time.
    @exclusivity(unchecked) var closing = ClosingMachine()
    @exclusivity(unchecked) var machine: ConnectionMachine
    @exclusivity(unchecked) var sendQueue = SendQueue()
    /// A graceful shutdown of the listener has begun.
    var isShuttingDown = false
    /// The connection is about to end because its client would no longer be accepted.
    var isEndingForPeer: Bool { self.peerWatch?.isEnding ?? false }
    /// Waiting calls of `receive`, in order of arrival.
    @exclusivity(unchecked) var receivers = ShortQueue<Receiver>()
    /// Waiting calls of `send`, in no particular order. Their order is in `sendQueue`.
    @exclusivity(unchecked) var senders: [Waiter<Void>] = []
    /// Waiting calls of `closeWriting`.
    var writingClosers: [Waiter<Void>] = []
    var closers: [Waiter<Void>] = []
    private var lastWaiterID: UInt64 = 0
    /// The task of `serve` that runs the handler of this connection, while it runs.
    @exclusivity(unchecked) var handler: LoopTask?
    /// A waiter that a task of the loop has used. The next wait of that task reuses it.
    @exclusivity(unchecked) var spareWaiter: Waiter<ByteBuffer?>?

    /// Whether the peer has sent anything. Read by the listener, on any thread.
    private let spoke = Atomic<Bool>(false)
    var hasSpoken: Bool { self.spoke.load(ordering: .relaxed) }
    /// Begins the handshake of an accepted connection when its transport is ready.
    var began: (() -> Void)?
    /// Called once, with the outcome of the handshake.
    var established: ((Result<Void, SecureSocketError>) -> Void)?
    var handshakeTimer: EventLoopExecutor.Timer?
    /// The check of the peer's certificates while the connection is open, if the listener has asked for it.
    var peerWatch: PeerWatch?
    /// The counter of the listener's bytes; nil for a connection that was made by `connect`.
    @exclusivity(unchecked) var traffic: TrafficCounter?
    /// Whether the handshake was completed.
    var isEstablished = false
    /// The decision of the program that the handshake waits for.
    var decision: DecisionRun?
    /// The bounds on the number of decisions under way at the listener, until the handshake is complete.
    var decisionLimits: DecisionLimits?

    /// The error that ended the peer's stream, if the machine records only that there was one.
    var readFailure: SecureSocketError?
    var writeFailure: SecureSocketError?
    /// With `failureIsReportedOnce`, whether the failure has been reported.
    var hasReportedFailure = false
    @exclusivity(unchecked) private var isReading = false
    /// Whether this connection has used up its share of the loop's round. What is due is then handed out in the next round.
    @exclusivity(unchecked) var isPausedUntilNextRound = false
    @exclusivity(unchecked) private var isUnflushed = false
    /// The next check of the delivery that closing waits for.
    var lingerTimer: EventLoopExecutor.Timer?
    /// The connection's identifier among those that linger on this loop; 0 if it does not linger.
    var lingeringID: UInt64 = 0
    /// Called when the descriptor is closed, with the connection that had it last.
    var gone: ((Connection) -> Void)?
    /// The connection that has the transport after an upgrade.
    var successor: Connection?
    /// The handle of the successor, while a handler of `serve` runs: the connection is closed according to the handler's outcome, and not
    /// because the handler has released the handle before.
    var successorHandle: SecureSocket?

    /// The mailbox that receives messages, and the handle that comes with them. The handle is alive as long as there is an owner, which
    /// closes it when it ends.
    var owner: MailboxStorage?
    var handle: SecureSocket?

    init(transport: any Transport, engine: StreamEngine, options: SocketOptions, peerName: String? = nil) {
        self.loop = transport.eventLoop
        self.executor = EventLoopExecutor.of(transport.eventLoop)
        self.transport = transport
        self.engine = engine
        self.options = options
        self.isFramed = options.framing != .none
        self.peerName = peerName
        self.localAddress = transport.localAddress
        self.remoteAddress = transport.remoteAddress
        self.machine = ConnectionMachine(
            queue: ReceiveQueue(
                framing: options.framing.framing, maximumPacketSize: options.maximumPacketSize,
                readAhead: options.readAhead),
            endsWritingWithReading: options.streamRules.contains(.writingEndsWithReading))
    }

    /// A waiting call of `receive`.
    struct Receiver {
        let waiter: Waiter<ByteBuffer?>
        let request: ReceiveQueue.Request
    }

    /// The request of the first waiting call.
    var firstRequest: ReceiveQueue.Request? { self.receivers.first?.request }

    // MARK: States

    var isHandshaking: Bool { if case .handshaking = self.closing.state { true } else { false } }
    var isOpen: Bool { if case .open = self.closing.state { true } else { false } }
    var isClosing: Bool { if case .closing = self.closing.state { true } else { false } }
    var isTransportGone: Bool { self.closing.isTransportGone }

    // MARK: Calls from other threads

    /// Runs `body` on the loop, in a tick: immediately if called on the loop, otherwise soon.
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        self.executor.onLoop(body)
    }

    /// Waits on the loop for the outcome that `start` arranges for its waiter.
    ///
    /// Cancelling the task runs `forget` on the loop and then ends the wait, unless the outcome came first.
    func wait<Success: Sendable>(
        _ step: SecureSocketError.Step,
        start: @escaping @Sendable (Waiter<Success>) -> Void,
        forget: @escaping @Sendable (Waiter<Success>) -> Result<Success, SecureSocketError>?
    ) async throws(SecureSocketError) -> Success {
        let waiter = Waiter<Success>()
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                self.onLoop {
                    if waiter.wait(continuation, step: step) { start(waiter) }
                }
            }
        } onCancel: {
            self.onLoop {
                if waiter.cancel(), let outcome = forget(waiter) { waiter.resume(outcome) }
            }
        }
        return try outcome.get()
    }

    func assignID<Success>(to waiter: Waiter<Success>) {
        self.lastWaiterID &+= 1
        waiter.id = self.lastWaiterID
    }

    // MARK: Reports of the transport

    /// Begins the handshake of an accepted connection: the transport is ready.
    func transportBegan() {
        let began = self.began
        self.began = nil
        began?()
    }

    func transportDelivered(_ bytes: ByteBuffer) {
        self.traffic?.countReceived(bytes.readableBytes)
        self.executor.runTick {
            switch self.closing.state {
            case .handshaking:
                self.noteSpoken()
                self.engine.receive(bytes)
                if self.established != nil { self.continueHandshake() }
            case .open:
                self.engine.receive(bytes)
                self.decrypt()
            case .closing: self.perform(self.closing.discard(bytes.readableBytes))
            case .lost, .released, .closed: break
            }
        }
    }

    private func noteSpoken() {
        if !self.hasSpoken { self.spoke.store(true, ordering: .relaxed) }
    }

    /// Receives bytes that the transport overwrites when this returns.
    func transportRead(borrowing bytes: UnsafeRawBufferPointer) {
        self.traffic?.countReceived(bytes.count)
        self.executor.runTick {
            switch self.closing.state {
            case .handshaking:
                self.noteSpoken()
                self.engine.withBorrowed(bytes) { if self.established != nil { self.continueHandshake() } }
            case .open:
                self.engine.withBorrowed(bytes) { self.decrypt() }
            case .closing: self.perform(self.closing.discard(bytes.count))
            case .lost, .released, .closed: break
            }
        }
    }

    func transportDrained() {
        self.executor.runTick { self.pump() }
    }

    /// Handles the end of the peer's side of the transport (FIN).
    func transportEnded() {
        self.executor.runTick { self.endTransport(self.tls == nil ? .finished : .truncated) }
    }

    func transportBroke(_ error: any Error) {
        self.executor.runTick {
            let reading: SecureSocketError.Step = self.isHandshaking ? .handshake : .receiving
            let lost = SecureSocketError.transport(error, step: reading, "the connection to \(self.peerText) was lost")
            // The first failure is the cause. The loss of the transport is its consequence.
            self.readFailure = self.readFailure ?? lost
            self.writeFailure =
                self.writeFailure ?? .transport(error, step: .sending, "the connection to \(self.peerText) was lost")
            self.endTransport(lost.code == .connectionReset ? .reset : .failed)
            self.breakWriting()
        }
    }

    /// Handles a transport that can no longer write. What the peer has sent can still be read.
    func transportCannotSend(_ error: any Error) {
        self.executor.runTick {
            self.writeFailure =
                self.writeFailure ?? .transport(error, step: .sending, "the connection to \(self.peerText) was lost")
            self.breakWriting()
            if self.isHandshaking { self.endHandshakeWithoutWriting(error) }
        }
    }

    /// Ends a handshake that cannot continue because this side cannot write. What the peer has sent before may contain the reason: an
    /// alert, or its end. It is read first, but waited for no longer than until the loop has polled the socket.
    private func endHandshakeWithoutWriting(_ error: any Error) {
        self.executor.inNextRound {
            self.executor.inNextRound {
                guard self.isHandshaking else { return }
                self.handshakeFailed(.transport(error, step: .handshake, "the connection to \(self.peerText) was lost"))
            }
        }
    }

    /// Handles the end of both directions while nothing reads. Closes a connection whose handshake has not begun, because an acceptor that
    /// took it would get a dead connection, and one whose handshake waits for a decision that is of no use any more.
    func transportHungUp() {
        if self.isHandshaking, self.established == nil || self.decision != nil { self.transport.close() }
    }

    /// Handles the transport's last report.
    func transportClosed() {
        self.executor.runTick {
            guard !self.isTransportGone else { return }
            // The reason for the end is determined by the state in which the transport ends.
            self.endTransport(.reset)
            self.breakWriting()
            if self.isHandshaking { self.report(.failure(self.connectionLost(.handshake))) }
            self.closing.transportGone()
            self.lingerTimer?.cancel()
            self.lingerTimer = nil
            self.endWatch()
            self.executor.endLingering(self)
            for closer in self.closers { closer.resume(.success(())) }
            self.closers.removeAll()
            self.gone?(self)
            self.gone = nil
        }
    }

    private func endTransport(_ end: ConnectionMachine.StreamEnd) {
        guard self.closing.peerEnd == nil else { return }
        let decision = self.closing.peerEnded(end)
        self.engine.receiveEnd()
        switch self.closing.state {
        case .handshaking: if self.established != nil { self.continueHandshake() }
        case .open: self.decrypt()
        case .lost, .closing, .released, .closed: self.perform(decision)
        }
    }

    func exportKeyingMaterial(label: String, context: [UInt8]?, length: Int) -> Result<[UInt8], SecureSocketError> {
        if self.machine.isClosedHere { return .failure(.closed(.handshake)) }
        guard let tls else { return .failure(.closed(.handshake)) }
        do {
            return .success(
                try tls.keyingMaterial(label: label, context: context, length: length, peer: self.peerText))
        } catch {
            return .failure(error)
        }
    }

    func connectionLost(_ step: SecureSocketError.Step) -> SecureSocketError {
        if let readFailure, step != .sending { return readFailure }
        return SecureSocketError(
            .connectionReset, blame: .network, step: step, "the connection to \(self.peerText) was lost")
    }

    /// Adds an action for the end of the connection. On the loop.
    func whenGone(_ action: @escaping (Connection) -> Void) {
        let former = self.gone
        self.gone = { connection in
            action(connection)
            former?(connection)
        }
    }

    // MARK: Upgrades

    /// Leaves the transport to another connection, which reports its end. Calls of this one fail from now on.
    func handOver(to successor: Connection) {
        self.perform(self.machine.close())
        self.closing.handedOver()
        self.isReading = false
        self.transport.setReading(false)
        self.forgetSpareWaiter()
        self.successor = successor
        successor.isShuttingDown = self.isShuttingDown
        successor.handler = self.handler
        successor.traffic = self.traffic
        successor.isEstablished = self.isEstablished
        successor.closers = self.closers
        successor.gone = self.gone
        self.closers = []
        self.gone = nil
        self.transport.replaceConnection(with: successor)
    }

    // MARK: Ticks

    /// Schedules a flush of the engine's output at the end of the tick.
    func noteOutput() {
        guard self.engine.pendingOutput > 0, !self.isUnflushed else { return }
        self.isUnflushed = true
        self.executor.noteUnflushed(self)
    }

    /// Removes and returns what TLS has produced, to be written at once; nil if there is nothing.
    func takeOutput() -> ByteBuffer? {
        guard let output = self.engine.takeOutput() else { return nil }
        self.traffic?.countSent(output.readableBytes)
        return output
    }

    /// Writes what was encrypted, at the end of a tick.
    func flush() {
        self.isUnflushed = false
        if let output = self.takeOutput() {
            self.transport.write(output)
            self.executor.recycle(output)
        }
        self.pump()
    }

    func updateReading() {
        let wanted =
            switch self.closing.state {
            case .handshaking: self.established != nil && self.decision == nil
            case .closing: true
            case .open: self.machine.wantsToRead(self.firstRequest) && !self.isPausedUntilNextRound
            case .lost, .released, .closed: false
            }
        guard wanted != self.isReading else { return }
        self.isReading = wanted
        self.transport.setReading(wanted)
    }
}
