import NIOCore
import NIOEmbedded
import NIOSSL
import NIOTLS
import SecureSockets
import SecureSocketsNIO
import SecureSocketsTesting
import Testing

/// The handlers under comparison.
enum Handlers: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case secureSockets = "SecureSocketsNIO"
    case nioSSL = "NIOSSL"

    var testDescription: String { self.rawValue }

    /// Returns what is expected of each, where they differ.
    func expect<Value>(_ ours: Value, nioSSL theirs: Value) -> Value { self == .secureSockets ? ours : theirs }
}

/// What the test of one situation configures.
struct Settings {
    var serverNames = ["localhost"]
    var serverHostname: String? = "localhost"
    var trustsServer = true
    var clientIdentity = false
    enum ClientAuthentication { case none, optional, required }
    var clientAuthentication = ClientAuthentication.none
    var serverProtocols: [String] = []
    var clientProtocols: [String] = []
    var serverVersions: ClosedRange<TLSProtocolVersion> = .tls12 ... .tls13
    var clientVersions: ClosedRange<TLSProtocolVersion> = .tls12 ... .tls13
    var options = TLSHandlerOptions()
}

/// Records what arrives at the end of a pipeline, and performs what a test has asked for at an event.
final class Recorder: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var log: [String] = []
    var text = ""
    /// Called after an event was recorded.
    var reaction: ((String, ChannelHandlerContext) -> Void)?
    /// Whether the ends of the channel's reads are recorded.
    var recordsReadComplete = false

    var errors: [String] { self.log.filter { $0.hasPrefix("error") } }

    private func record(_ event: String, _ context: ChannelHandlerContext) {
        self.log.append(event)
        self.reaction?(event, context)
    }

    func channelActive(context: ChannelHandlerContext) { self.record("active", context) }
    func channelInactive(context: ChannelHandlerContext) { self.record("inactive", context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = String(buffer: Self.unwrapInboundIn(data))
        self.text += bytes
        self.record(bytes.utf8.count > 40 ? "read \(bytes.utf8.count)" : "read \(bytes)", context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if self.recordsReadComplete { self.record("read complete", context) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted(let negotiated):
            self.record("completed" + (negotiated.map { " \($0)" } ?? ""), context)
        case TLSUserEvent.shutdownCompleted: self.record("shutdown", context)
        case ChannelEvent.inputClosed: self.record("input closed", context)
        default: self.record("event \(event)", context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.record("error \(Self.kind(of: error))", context) }

    /// The kind of an error, by the same word for both handlers.
    static func kind(of error: any Error) -> String {
        switch error {
        case let error as SecureSocketError:
            if error.step == .handshake { return error.code == .timedOut ? "timed out" : "handshake failed" }
            return "\(error.code)"
        case NIOSSLError.uncleanShutdown: return "truncated"
        case NIOSSLError.handshakeFailed: return "handshake failed"
        case NIOSSLError.shutdownFailed: return "shutdown failed"
        case is BoringSSLError: return "protocolError"
        case is NIOSSLCloseTimedOutError: return "timed out"
        case is NIOSSLExtraError: return "handshake failed"
        case let error as ChannelError: return "\(error)"
        default: return "\(type(of: error))"
        }
    }
}

/// The network's end of a pipeline: half-closure, which an embedded channel does not know, is recorded here.
final class Wire: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var outputIsClosed = false
    private(set) var reads = 0
    private(set) var writes = 0
    /// Fails writes and closes with this error.
    var failure: (any Error)?
    /// Keeps the promises of writes, as a channel does whose peer does not read.
    var isBlocked = false { didSet { if !self.isBlocked { for promise in self.waiting { promise.succeed() } } } }
    private var waiting: [EventLoopPromise<Void>] = []

    /// Called once, in the next write, as a channel tells its handlers that it is not writable.
    var written: (() -> Void)?
    private var lastWrite = 0

    /// Calls `body` in the next write of more than 50,000 bytes.
    func whenMuchIsWritten(_ body: @escaping () -> Void) {
        self.written = { if self.lastWrite > 50_000 { body() } else { self.whenMuchIsWritten(body) } }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        self.writes += 1
        self.lastWrite = Self.unwrapOutboundIn(data).readableBytes
        defer {
            let written = self.written
            self.written = nil
            written?()
        }
        if let failure {
            promise?.fail(failure)
        } else if self.isBlocked {
            if let promise { self.waiting.append(promise) }
            context.write(data, promise: nil)
        } else {
            context.write(data, promise: promise)
        }
    }

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func closeTransport() { self.context?.close(mode: .all, promise: nil) }

    func read(context: ChannelHandlerContext) {
        self.reads += 1
        context.read()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        self.outputIsClosed = true
        promise?.succeed()
    }
}

/// One end of a dialogue.
struct End {
    let channel: EmbeddedChannel
    let wire = Wire()
    let recorder = Recorder()

    var log: [String] { self.recorder.log }
    var errors: [String] { self.recorder.errors }

    init(on loop: EmbeddedEventLoop) { self.channel = EmbeddedChannel(loop: loop) }

    let handlerName = "TLS"

    func add(_ handler: any ChannelHandler) throws {
        let pipeline = self.channel.pipeline.syncOperations
        try pipeline.addHandler(self.wire)
        try pipeline.addHandler(handler, name: self.handlerName)
        try pipeline.addHandler(self.recorder)
    }

    /// The bytes that this end has written to the network.
    func takeOutput() throws -> ByteBuffer {
        var output = ByteBuffer()
        while var part = try self.channel.readOutbound(as: ByteBuffer.self) { output.writeBuffer(&part) }
        return output
    }

    /// Delivers bytes from the network.
    func deliver(_ bytes: ByteBuffer) {
        self.channel.pipeline.syncOperations.fireChannelRead(NIOAny(bytes))
        self.channel.pipeline.syncOperations.fireChannelReadComplete()
        self.channel.embeddedEventLoop.run()
    }

    @discardableResult func write(_ text: String) -> Outcome {
        let outcome = Outcome()
        let promise = self.channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { outcome.complete($0) }
        self.channel.write(ByteBuffer(string: text), promise: promise)
        return outcome
    }

    @discardableResult func send(_ text: String) -> Outcome {
        defer { self.flush() }
        return self.write(text)
    }

    func flush() {
        self.channel.flush()
        self.channel.embeddedEventLoop.run()
    }

    @discardableResult func close(_ mode: CloseMode = .all) -> Outcome {
        let outcome = Outcome()
        let promise = self.channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { outcome.complete($0) }
        self.channel.close(mode: mode, promise: promise)
        self.channel.embeddedEventLoop.run()
        return outcome
    }

    /// The transport ends in both directions.
    func endTransport() {
        guard self.channel.isActive else { return }
        // Past the handler, as a transport ends.
        self.wire.closeTransport()
        self.channel.embeddedEventLoop.run()
    }

    /// The peer's side of the transport ends.
    func endInput() {
        self.channel.pipeline.syncOperations.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        self.channel.embeddedEventLoop.run()
    }

    func allowHalfClosure() throws { try self.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true) }

    var allowsHalfClosure: Bool { (try? self.channel.syncOptions?.getOption(.allowRemoteHalfClosure)) ?? false }

    final class Flag { var isSet = false }
    let inputHasEnded = Flag()
}

/// The outcome of a call.
final class Outcome {
    private(set) var text = "waiting"

    func complete(_ result: Result<Void, any Error>) {
        switch result {
        case .success: self.text = "success"
        case .failure(let error): self.text = Recorder.kind(of: error)
        }
    }
}

/// A client's and a server's channel without a network: the test passes the bytes on.
struct Dialogue {
    let loop = EmbeddedEventLoop()
    let client: End
    let server: End

    private static let certificates = Result { try Certificates() }

    /// - Parameter isActive: Whether the channels are connected before the test begins; their handshake waits for `exchange`.
    init(_ handlers: Handlers, _ settings: Settings = Settings(), isActive: Bool = true) throws {
        let certificates = try Self.certificates.get()
        self.client = End(on: self.loop)
        self.server = End(on: self.loop)
        try self.server.add(certificates.server(handlers, settings))
        try self.client.add(certificates.client(handlers, settings))
        if isActive { try self.connect() }
    }

    /// Makes both channels active.
    func connect() throws {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 443)
        for end in [self.server, self.client] {
            end.channel.connect(to: address, promise: nil)
            self.loop.run()
        }
    }

    /// Passes bytes on until both ends are silent. An end whose channel is closed ends the other one's transport.
    func exchange(by piece: Int = .max) throws {
        while true {
            let (fromClient, fromServer) = (try self.client.takeOutput(), try self.server.takeOutput())
            Self.pass(fromClient, to: self.server, by: piece)
            Self.pass(fromServer, to: self.client, by: piece)
            self.loop.run()
            if fromClient.readableBytes == 0, fromServer.readableBytes == 0 { break }
        }
        Self.passEnd(of: self.client, to: self.server)
        Self.passEnd(of: self.server, to: self.client)
        Self.passEnd(of: self.client, to: self.server)
    }

    private static func passEnd(of end: End, to other: End) {
        guard other.channel.isActive else { return }
        if !end.channel.isActive {
            other.endTransport()
        } else if end.wire.outputIsClosed, !other.inputHasEnded.isSet {
            other.inputHasEnded.isSet = true
            if other.allowsHalfClosure { other.endInput() } else { other.endTransport() }
        }
    }

    private static func pass(_ bytes: ByteBuffer, to end: End, by piece: Int) {
        var rest = bytes
        while rest.readableBytes > 0, let part = rest.readSlice(length: min(piece, rest.readableBytes)) {
            if end.channel.isActive { end.deliver(part) }
        }
    }

    /// A dialogue whose handshake is complete.
    static func open(_ handlers: Handlers, _ settings: Settings = Settings()) throws -> Dialogue {
        let dialogue = try Dialogue(handlers, settings)
        try dialogue.exchange()
        #expect(dialogue.client.log.contains { $0.hasPrefix("completed") }, "\(dialogue.client.log)")
        #expect(dialogue.server.log.contains { $0.hasPrefix("completed") }, "\(dialogue.server.log)")
        return dialogue
    }
}
