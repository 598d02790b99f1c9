package import NIOCore
import TLSEngine

/// A transport in memory. Two of them form a connection, on event loops that may differ.
///
/// Sendable without a check because each end's state is used on its own loop only. Everything for the peer goes through the peer's loop.
final class MemoryTransport: Transport, @unchecked Sendable {
    let eventLoop: any EventLoop
    let localAddress: SocketAddress? = nil
    let remoteAddress: SocketAddress? = nil

    /// The longest piece in which bytes arrive; nil: as they were written.
    private let pieceLength: Int?
    private let capacity: Int
    private var connection: Connection?
    private var peer: MemoryTransport?
    private var isReading = false
    private var isClosed = false
    private var hasClosedWriting = false
    /// Bytes that the peer has written and this end has not read.
    private var inbox: [ByteBuffer] = []
    private var peerHasFinished = false
    private var peerIsGone = false
    /// The number of bytes that this end has written and the peer has not read.
    private(set) var unsentBytes = 0
    private(set) var acknowledgedBytes: UInt64 = 0
    /// There is no operating system between the two ends.
    let unacknowledgedBytes = 0
    private var wasFull = false
    /// Closures to run when the peer has read everything.
    private var finishing: [() -> Void] = []
    /// A fault that has not happened yet to what this end writes.
    private var fault: (effect: MemoryFault.Effect, locator: FaultLocator)?
    /// Nothing that this end does reaches the peer any more.
    private var isStalled = false

    init(on loop: any EventLoop, pieceLength: Int?, capacity: Int) {
        self.eventLoop = loop
        self.pieceLength = pieceLength
        self.capacity = capacity
    }

    /// Connects two ends. Call it before either is used.
    static func join(_ one: MemoryTransport, _ other: MemoryTransport) {
        one.peer = other
        other.peer = one
    }

    func replaceConnection(with connection: Connection) { self.connection = connection }

    func attach(to connection: Connection) {
        self.connection = connection
    }

    var isWritable: Bool { self.unsentBytes < self.capacity }

    func write(_ bytes: ByteBuffer) {
        guard !self.isClosed, !self.hasClosedWriting, let peer else { return }
        guard let index = self.fault?.locator.locate(in: bytes.readableBytesView) else {
            self.unsentBytes += bytes.readableBytes
            if !self.isWritable { self.wasFull = true }
            if !self.isStalled { peer.eventLoop.execute { peer.arrived(bytes) } }
            return
        }
        self.writeWithFault(bytes, at: index)
    }

    func closeWriting(with bytes: ByteBuffer?, completion: @escaping () -> Void) {
        if let bytes { self.write(bytes) }
        guard !self.isClosed, !self.hasClosedWriting, let peer else { return completion() }
        self.hasClosedWriting = true
        if !self.isStalled { peer.eventLoop.execute { peer.peerFinished() } }
        // Bytes count as handed over when the peer has read them, because no operating system between the ends would keep them.
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
        if let peer = self.peer, !self.isStalled { peer.eventLoop.execute { peer.peerIsLost() } }
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

    // MARK: Reports from the peer

    private func arrived(_ bytes: ByteBuffer) {
        guard !self.isClosed else { return }
        self.inbox.append(contentsOf: self.pieces(of: bytes))
        self.deliver()
    }

    private func pieces(of bytes: ByteBuffer) -> [ByteBuffer] {
        let length = max(self.pieceLength ?? bytes.readableBytes, 1)
        var rest = bytes
        var pieces: [ByteBuffer] = []
        while rest.readableBytes > 0, let piece = rest.readSlice(length: min(length, rest.readableBytes)) {
            pieces.append(piece)
        }
        return pieces
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

// MARK: Faults

extension MemoryTransport {
    /// Lets a fault happen to what is written from now on.
    fileprivate func add(_ fault: MemoryFault, _ overhead: RecordOverhead) {
        let locator = FaultLocator(fault, overhead)
        self.fault = (fault.effect, locator)
        if locator.isAtStart { self.writeWithFault(ByteBuffer(), at: 0) }
    }

    private func writeWithFault(_ bytes: ByteBuffer, at index: Int) {
        guard let effect = self.fault?.effect, let peer else { return }
        self.fault = nil
        var after = bytes
        if let before = after.readSlice(length: index), index > 0 { self.write(before) }
        switch effect {
        case .corruption:
            if let byte = after.getInteger(at: after.readerIndex, as: UInt8.self) {
                after.setInteger(byte ^ 1, at: after.readerIndex)
            }
            self.write(after)
        case .reset: self.close()
        case .end:
            self.hasClosedWriting = true
            peer.eventLoop.execute { peer.peerFinished() }
        case .stall:
            self.isStalled = true
            self.write(after)
        }
    }
}

extension SecureSocket {
    /// Creates two connected sockets in memory, for the public function of SecureSocketsTesting.
    ///
    /// - Parameters:
    ///   - pieceLength: The maximum length of a received piece; nil if bytes arrive as they were written.
    ///   - clientFault: The fault of the data that the client sends after the handshake.
    ///   - serverFault: The fault of the data that the server sends after the handshake.
    package static func connectedInMemory(
        client: TLSClientConfiguration,
        server: TLSServerConfiguration,
        host: String,
        options: SocketOptions,
        pieceLength: Int?,
        clientFault: MemoryFault?,
        serverFault: MemoryFault?,
        timeout: Duration?,
        on group: any EventLoopGroup
    ) async throws(SecureSocketError) -> (client: SecureSocket, server: SecureSocket) {
        let options = try options.validated()
        try SecureSocketError.check(host: host)
        let group = try group.started(for: .connecting)
        let ends = (
            MemoryTransport(on: group.next(), pieceLength: pieceLength, capacity: options.outputLimit),
            MemoryTransport(on: group.next(), pieceLength: pieceLength, capacity: options.outputLimit)
        )
        MemoryTransport.join(ends.0, ends.1)
        let sides: (Connection, Connection)
        do {
            let clientEngine = try TLSEngine(client: client.settings, for: host, at: nil)
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
        let pair = (client: try connected.get(), server: try await accepted.get())
        if let clientFault { await sides.0.add(clientFault, to: ends.0, RecordOverhead(pair.client.information)) }
        if let serverFault { await sides.1.add(serverFault, to: ends.1, RecordOverhead(pair.server.information)) }
        return pair
    }
}

extension Connection {
    /// Lets a fault happen to what is sent after the handshake. What the handshake has left to be sent precedes it.
    fileprivate func add(_ fault: MemoryFault, to transport: MemoryTransport, _ overhead: RecordOverhead) async {
        await withUnsafeContinuation { continuation in
            self.loop.execute {
                self.tls?.writeSessionTickets()
                if let output = self.engine.takeOutput() { transport.write(output) }
                transport.add(fault, overhead)
                continuation.resume()
            }
        }
    }
}
