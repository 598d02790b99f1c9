import NIOCore
import SocketCore
import Synchronization
import TLSEngine

/// One connection, from the first byte of its handshake to the last that is delivered: the one place where the decisions of
/// `TLSEngine` and `ConnectionMachine` become effects.
///
/// Theory of operation. Everything happens on the connection's event loop, in ticks (`EventLoopExecutor`). What the transport delivers
/// goes into the engine; what the engine decrypts goes straight into the machine's queue; `settle` hands out what the machine
/// says is due, to waiting calls or to the owner's mailbox. What is sent is encrypted at once, into the engine's output, and
/// leaves at the end of the tick (`flush`), at most `sendHighWaterMark` bytes a tick, so that one connection never keeps the loop
/// from the others. Above that mark, and while the operating system takes no more, units wait in `sendQueue`.
///
/// Reading and writing do not know of each other: a failing write leaves what has arrived where it is.
///
/// The handshake, the open connection and closing are states of `ClosingMachine`. In closing the calls have ended, but what was accepted is
/// still on its way (`Connection+Closing.swift`).
///
/// Sendable without a check because all of its state is touched on `loop` only. Public calls come in through `onLoop`.
final class Connection: @unchecked Sendable {
    let loop: any EventLoop
    let executor: EventLoopExecutor
    let transport: any Transport
    let engine: TLSEngine
    let options: SocketOptions
    /// The peer as it was asked for; nil for one that came by itself.
    private let peerName: String?
    /// Remembered: they are answered also after the connection has gone.
    private let localAddress: SocketAddress?
    private let remoteAddress: SocketAddress?

    // Made when somebody asks: most connections are never asked.
    var localEndpoint: SocketEndpoint? { SocketEndpoint(self.localAddress) }
    var remoteEndpoint: SocketEndpoint? { SocketEndpoint(self.remoteAddress) }
    /// The peer as errors name it: what was asked for, or where it came from.
    var peerText: String { self.peerName ?? self.remoteEndpoint?.description ?? "a client" }

    // Unchecked exclusivity is sound for what is touched on the loop only, by code that calls nothing of this object while it has
    // access; the checks were 3 to 5 % of a small message's time.
    @exclusivity(unchecked) var closing = ClosingMachine()
    @exclusivity(unchecked) var machine: ConnectionMachine
    @exclusivity(unchecked) var sendQueue = SendQueue()
    /// Calls of `receive` that wait, in their order.
    /// A graceful shutdown of the listener has begun.
    var isShuttingDown = false
    @exclusivity(unchecked) var receivers = ShortQueue<Receiver>()
    /// Calls of `send` that wait, in no special order: `sendQueue` has it.
    @exclusivity(unchecked) var senders: [Waiter<Void>] = []
    /// Calls of `closeWriting` that wait.
    var writingClosers: [Waiter<Void>] = []
    var closers: [Waiter<Void>] = []
    private var lastWaiterID: UInt64 = 0
    /// The task that runs the handler of this connection, while it runs, if it is one of `serve`.
    @exclusivity(unchecked) var handler: LoopTask?
    /// One that has waited for a task of the loop; the next wait of that task takes it.
    @exclusivity(unchecked) var spareWaiter: Waiter<ByteBuffer?>?

    /// Whether the peer has sent anything; asked by the listener, on any thread.
    private let spoke = Atomic<Bool>(false)
    var hasSpoken: Bool { self.spoke.load(ordering: .relaxed) }
    /// Begins the handshake of an accepted connection, when its transport is ready.
    var began: (() -> Void)?
    /// Told once how the handshake has gone.
    private var established: ((Result<Void, SecureSocketError>) -> Void)?
    private var handshakeTimer: EventLoopExecutor.Timer?

    /// What ended the peer's stream, where the machine knows only that something did.
    var readFailure: SecureSocketError?
    var writeFailure: SecureSocketError?
    /// With `failureIsReportedOnce`: it was.
    var hasReportedFailure = false
    @exclusivity(unchecked) private var isReading = false
    /// This connection has had its share of the loop's round, and what is due is handed out in the next.
    @exclusivity(unchecked) var isResting = false
    @exclusivity(unchecked) private var isUnflushed = false
    /// The next look at what closing waits for.
    var lingerTimer: EventLoopExecutor.Timer?
    /// Its name among those that linger on this loop; 0: none.
    var lingeringID: UInt64 = 0
    /// Told when the descriptor is free.
    var gone: (() -> Void)?

    /// Who gets messages, and the handle that comes with them: alive for as long as there is an owner, which closes it when it ends.
    var owner: MailboxStorage?
    var handle: SecureSocket?

    init(transport: any Transport, engine: TLSEngine, options: SocketOptions, peerName: String? = nil) {
        self.loop = transport.eventLoop
        self.executor = EventLoopExecutor.of(transport.eventLoop)
        self.transport = transport
        self.engine = engine
        self.options = options
        self.peerName = peerName
        self.localAddress = transport.localAddress
        self.remoteAddress = transport.remoteAddress
        self.machine = ConnectionMachine(
            queue: ReceiveQueue(
                framing: options.framing.framing, maximumPacketSize: options.maximumPacketSize,
                readAhead: options.readAhead),
            endsWritingWithReading: options.streamRules.contains(.writingEndsWithReading))
    }

    /// A call of `receive` that waits.
    struct Receiver {
        let waiter: Waiter<ByteBuffer?>
        let request: ReceiveQueue.Request
        /// Whether the call ends with nil when a graceful shutdown begins.
        let untilShutdown: Bool
    }

    /// What the first call that waits asks for.
    var firstRequest: ReceiveQueue.Request? { self.receivers.first?.request }

    // MARK: States

    var isHandshaking: Bool { if case .handshaking = self.closing.state { true } else { false } }
    var isOpen: Bool { if case .open = self.closing.state { true } else { false } }
    var isClosing: Bool { if case .closing = self.closing.state { true } else { false } }
    var isTransportGone: Bool { self.closing.isTransportGone }

    // MARK: From other threads

    /// Runs `body` on the loop, in a tick: now if this is the loop, soon otherwise.
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

    // MARK: Handshake

    /// Begins the handshake. `completion` is called once, on the loop, with its outcome.
    func start(timeout: Duration?, completion: @escaping (Result<Void, SecureSocketError>) -> Void) {
        guard self.isHandshaking else {
            // Closed here, or gone before anybody could begin.
            return completion(.failure(self.machine.isClosedHere ? .closed(.handshake) : self.connectionLost(.handshake)))
        }
        self.established = completion
        if let timeout {
            self.handshakeTimer = self.executor.after(TimeAmount(timeout)) { self.handshakeTimedOut(after: timeout) }
        }
        self.executor.runTick {
            self.updateReading()
            self.continueHandshake()
        }
    }

    private func continueHandshake() {
        switch self.engine.handshake() {
        case .waiting: self.noteOutput()
        case .complete:
            self.closing.handshakeCompleted()
            self.handshakeTimer?.cancel()
            self.handshakeTimer = nil
            self.noteOutput()
            self.report(.success(()))
            self.decrypt()
        case .failed(let failure):
            // A reset explains an end in mid-handshake better than the end itself.
            if failure.kind == .endedInHandshake, let end = self.closing.peerEnd, end != .truncated {
                self.handshakeFailed(self.connectionLost(.handshake))
            } else if failure.kind == .endedInHandshake, !self.hasSpoken, self.engine.context.settings.role == .server {
                self.handshakeFailed(.endedBeforeHandshake(self.peerText))
            } else {
                self.handshakeFailed(
                    SecureSocketError(failure, role: self.engine.context.settings.role, step: .handshake, peer: self.peerText))
            }
        }
    }

    private func handshakeFailed(_ error: SecureSocketError) {
        // First this, and then the report: whoever hears of the failure gives the connection up, and what has not begun to close
        // is dropped at once. The alert that tells the peer why still has to go out.
        self.perform(self.closing.handshakeFailed(timeout: TimeAmount(self.options.lingerTimeout)))
        self.report(.failure(error))
    }

    private func handshakeTimedOut(after timeout: Duration) {
        guard self.isHandshaking else { return }
        self.report(
            .failure(
                .timedOut(.handshake, "\(self.peerText) did not complete the handshake within \(timeout)")))
        self.drop()
    }

    /// Gives the handshake up; for a caller that cannot wait for it any longer.
    func abandonHandshake(_ error: SecureSocketError) {
        guard self.isHandshaking else { return }
        self.report(.failure(error))
        self.drop()
    }

    private func report(_ outcome: Result<Void, SecureSocketError>) {
        self.handshakeTimer?.cancel()
        self.handshakeTimer = nil
        let established = self.established
        self.established = nil
        established?(outcome)
    }

    // MARK: What the transport reports

    /// The transport can be used: an accepted connection begins its handshake.
    func transportBegan() {
        let began = self.began
        self.began = nil
        began?()
    }

    func transportDelivered(_ bytes: ByteBuffer) {
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

    /// The same, of bytes that the transport will write over when this returns.
    func transportRead(borrowing bytes: UnsafeRawBufferPointer) {
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

    /// The peer has ended its side of the transport (FIN).
    func transportEnded() {
        self.executor.runTick { self.endTransport(.truncated) }
    }

    func transportBroke(_ error: any Error) {
        self.executor.runTick {
            let reading: SecureSocketError.Step = self.isHandshaking ? .handshake : .receiving
            let lost = SecureSocketError.transport(error, step: reading, "the connection to \(self.peerText) was lost")
            // What failed first is the reason; that the transport then went is its consequence.
            self.readFailure = self.readFailure ?? lost
            self.writeFailure =
                self.writeFailure ?? .transport(error, step: .sending, "the connection to \(self.peerText) was lost")
            self.endTransport(lost.code == .connectionReset ? .reset : .failed)
            self.breakWriting()
        }
    }

    /// Nothing more can be written; what the peer has sent can still be read.
    func transportCannotSend(_ error: any Error) {
        self.executor.runTick {
            self.writeFailure =
                self.writeFailure ?? .transport(error, step: .sending, "the connection to \(self.peerText) was lost")
            self.breakWriting()
            if self.isHandshaking { self.endHandshakeWithoutWriting(error) }
        }
    }

    /// A handshake cannot go on when this side cannot write. What the peer has sent before may tell why: an alert, or its end. That is read
    /// first, and waited for no longer than until the loop has looked at it.
    private func endHandshakeWithoutWriting(_ error: any Error) {
        self.executor.inNextRound {
            self.executor.inNextRound {
                guard self.isHandshaking else { return }
                self.handshakeFailed(.transport(error, step: .handshake, "the connection to \(self.peerText) was lost"))
            }
        }
    }

    /// Both directions have ended, and nobody reads. Whoever takes a connection that has not begun would only take a dead one.
    func transportHungUp() {
        if self.isHandshaking, self.established == nil { self.transport.close() }
    }

    /// The last report.
    func transportClosed() {
        self.executor.runTick {
            guard !self.isTransportGone else { return }
            // What is still to be learnt of the end is learnt in the state that it ends.
            self.endTransport(.reset)
            self.breakWriting()
            if self.isHandshaking { self.report(.failure(self.connectionLost(.handshake))) }
            self.closing.transportGone()
            self.lingerTimer?.cancel()
            self.lingerTimer = nil
            self.executor.endLingering(self)
            for closer in self.closers { closer.resume(.success(())) }
            self.closers.removeAll()
            self.gone?()
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
        guard self.engine.hasUniqueKeyingMaterial else {
            return .failure(
                SecureSocketError(
                    .invalidConfiguration, blame: .peer, step: .handshake,
                    "keying material of this connection is not its own: \(self.peerText) speaks TLS 1.2 without the extended master secret",
                    advice: "Have the peer use TLS 1.3, or TLS 1.2 with the extended master secret (RFC 7627)"))
        }
        guard length >= 0, length <= 1 << 16,
            let material = self.engine.exportKeyingMaterial(label: label, context: context, length: length)
        else {
            return .failure(
                SecureSocketError(
                    .invalidArgument, blame: .caller, step: .handshake, "\(length) bytes of keying material cannot be derived"))
        }
        return .success(material)
    }

    func connectionLost(_ step: SecureSocketError.Step) -> SecureSocketError {
        if let readFailure, step != .sending { return readFailure }
        return SecureSocketError(
            .connectionReset, blame: .network, step: step, "the connection to \(self.peerText) was lost")
    }

    // MARK: Ticks

    /// Sees to it that what the engine has to send leaves at the end of the tick.
    func noteOutput() {
        guard self.engine.pendingOutput > 0, !self.isUnflushed else { return }
        self.isUnflushed = true
        self.executor.noteUnflushed(self)
    }

    /// The end of a tick: what was encrypted leaves.
    func flush() {
        self.isUnflushed = false
        if let output = self.engine.takeOutput() {
            self.transport.write(output)
            self.executor.recycle(output)
        }
        self.pump()
    }

    func updateReading() {
        let wanted =
            switch self.closing.state {
            case .handshaking: self.established != nil
            case .closing: true
            case .open: self.machine.wantsToRead(self.firstRequest) && !self.isResting
            case .lost, .released, .closed: false
            }
        guard wanted != self.isReading else { return }
        self.isReading = wanted
        self.transport.setReading(wanted)
    }
}
