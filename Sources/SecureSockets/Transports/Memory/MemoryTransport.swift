public import NIOCore
import TLSEngine

/// A transport in memory: two of them, each the other's peer, on event loops that may differ.
///
/// Sendable without a check because each end's state is touched on its own loop only; what goes to the peer goes through the peer's
/// loop.
final class MemoryTransport: Transport, @unchecked Sendable {
    let eventLoop: any EventLoop
    let localAddress: SocketAddress? = nil
    let remoteAddress: SocketAddress? = nil

    private let fragmentation: SecureSocket.Fragmentation
    private let capacity: Int
    private var connection: Connection?
    private var peer: MemoryTransport?
    private var isReading = false
    private var isClosed = false
    private var hasClosedWriting = false
    /// What the peer has written and this end has not read.
    private var inbox: [ByteBuffer] = []
    private var peerHasFinished = false
    private var peerIsGone = false
    /// What this end has written and the peer has not read.
    private(set) var unsentBytes = 0
    private(set) var acknowledgedBytes: UInt64 = 0
    /// There is no operating system between the two ends.
    let unacknowledgedBytes = 0
    private var wasFull = false
    /// To be run when the peer has read everything.
    private var finishing: [() -> Void] = []

    init(on loop: any EventLoop, fragmentation: SecureSocket.Fragmentation, capacity: Int) {
        self.eventLoop = loop
        self.fragmentation = fragmentation
        self.capacity = capacity
    }

    /// Joins two ends. Before either is used.
    static func join(_ one: MemoryTransport, _ other: MemoryTransport) {
        one.peer = other
        other.peer = one
    }

    func attach(to connection: Connection) {
        self.connection = connection
    }

    var isWritable: Bool { self.unsentBytes < self.capacity }

    func write(_ bytes: ByteBuffer) {
        guard !self.isClosed, !self.hasClosedWriting, let peer else { return }
        self.unsentBytes += bytes.readableBytes
        if !self.isWritable { self.wasFull = true }
        peer.eventLoop.execute { peer.arrived(bytes) }
    }

    func closeWriting(with bytes: ByteBuffer?, completion: @escaping () -> Void) {
        if let bytes { self.write(bytes) }
        guard !self.isClosed, !self.hasClosedWriting, let peer else { return completion() }
        self.hasClosedWriting = true
        peer.eventLoop.execute { peer.peerFinished() }
        // Handed over is read by the peer here: there is no operating system between that would keep it.
        self.finishing.append(completion)
        self.runFinished()
    }

    func setReading(_ isReading: Bool) {
        self.isReading = isReading
        if isReading { self.eventLoop.execute { self.deliver() } }
    }

    func setNoDelay(_ isOn: Bool, completion: @escaping (Result<Void, SecureSocketError>) -> Void) {
        completion(.success(()))
    }

    func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.inbox.removeAll()
        if let peer = self.peer { peer.eventLoop.execute { peer.peerIsLost() } }
        self.peer = nil
        let finishing = self.finishing
        self.finishing.removeAll()
        for finish in finishing { finish() }
        // As with a channel, the last report comes after the call that closes.
        self.eventLoop.execute {
            self.connection?.transportClosed()
            self.connection = nil
        }
    }

    // MARK: From the peer

    private func arrived(_ bytes: ByteBuffer) {
        guard !self.isClosed else { return }
        self.inbox.append(contentsOf: self.fragmentation.pieces(of: bytes))
        self.deliver()
    }

    private func peerFinished() {
        self.peerHasFinished = true
        self.deliver()
    }

    private func peerIsLost() {
        self.peerIsGone = true
        self.peer = nil
        self.unsentBytes = 0
        self.runFinished()
        self.deliver()
    }

    private func deliver() {
        while self.isReading, !self.isClosed, !self.inbox.isEmpty {
            let piece = self.inbox.removeFirst()
            if let peer { peer.eventLoop.execute { peer.taken(piece.readableBytes) } }
            self.connection?.transportDelivered(piece)
        }
        guard self.inbox.isEmpty, self.isReading, !self.isClosed else { return }
        if self.peerHasFinished {
            self.peerHasFinished = false
            self.connection?.transportEnded()
        }
        if self.peerIsGone { self.close() }
    }

    private func taken(_ count: Int) {
        self.unsentBytes = max(self.unsentBytes - count, 0)
        self.acknowledgedBytes += UInt64(count)
        self.runFinished()
        if self.wasFull, self.unsentBytes <= self.capacity / 2 {
            self.wasFull = false
            self.connection?.transportDrained()
        }
    }

    private func runFinished() {
        guard self.unsentBytes == 0 else { return }
        let finishing = self.finishing
        self.finishing.removeAll()
        for finish in finishing { finish() }
    }
}

extension SecureSocket {
    /// How a connection in memory cuts what is written into what is delivered.
    public enum Fragmentation: Sendable, Hashable {
        /// As it was written.
        case whole
        /// One byte at a time.
        case oneByteAtATime
        /// Into pieces of that many bytes.
        case pieces(of: Int)

        func pieces(of bytes: ByteBuffer) -> [ByteBuffer] {
            let length =
                switch self {
                case .whole: bytes.readableBytes
                case .oneByteAtATime: 1
                case .pieces(let length): max(length, 1)
                }
            var rest = bytes
            var pieces: [ByteBuffer] = []
            while rest.readableBytes > 0, let piece = rest.readSlice(length: min(length, rest.readableBytes)) {
                pieces.append(piece)
            }
            return pieces
        }
    }

    /// Makes two connected sockets in memory, with a real handshake between them and no network: for the tests of a protocol.
    ///
    /// - Parameters:
    ///   - client: The connecting side's configuration.
    ///   - server: The listening side's configuration.
    ///   - host: The host that the client believes it connects to.
    ///   - options: Of both sockets.
    ///   - fragmentation: How bytes are cut on their way, in both directions.
    ///   - timeout: For the handshake; nil: for ever.
    ///   - group: The event loops to choose two from.
    /// - Throws: ``SecureSocketError`` of the client's side, or else of the server's.
    public static func connectedPair(
        client: TLSClientConfiguration,
        server: TLSServerConfiguration,
        host: String = "localhost",
        options: SocketOptions = SocketOptions(),
        fragmentation: Fragmentation = .whole,
        timeout: Duration? = .seconds(30),
        on group: any EventLoopGroup = SocketEventLoopGroup.shared
    ) async throws(SecureSocketError) -> (client: SecureSocket, server: SecureSocket) {
        let options = try options.validated()
        try SecureSocketError.check(host: host)
        let group = try group.started(for: .connecting)
        let ends = (
            MemoryTransport(on: group.next(), fragmentation: fragmentation, capacity: options.outputLimit),
            MemoryTransport(on: group.next(), fragmentation: fragmentation, capacity: options.outputLimit)
        )
        MemoryTransport.join(ends.0, ends.1)
        let sides: (Connection, Connection)
        do {
            let clientEngine = try TLSEngine(
                client: client.context, for: host, verification: client.verification, serverName: client.serverName, at: nil)
            let serverEngine = try TLSEngine(server: server.context)
            sides = (
                Connection(transport: ends.0, engine: clientEngine, options: options, peerName: "\(host) (in memory)"),
                Connection(transport: ends.1, engine: serverEngine, options: options, peerName: "a client in memory")
            )
        } catch {
            throw SecureSocketError(error, role: .client, step: .handshake, peer: "\(host) (in memory)")
        }
        ends.0.attach(to: sides.0)
        ends.1.attach(to: sides.1)
        async let accepted = sides.1.established(timeout: timeout)
        let connected = await sides.0.established(timeout: timeout)
        return (try connected.get(), try await accepted.get())
    }
}

extension Connection {
    /// Runs the handshake.
    fileprivate func established(timeout: Duration?) async -> Result<SecureSocket, SecureSocketError> {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                self.onLoop {
                    self.start(timeout: timeout) { outcome in
                        continuation.resume(returning: outcome.flatMap { self.makeHandle(.handshake) })
                    }
                }
            }
        } onCancel: {
            self.onLoop { self.abandonHandshake(.cancelled(.handshake)) }
        }
    }
}
