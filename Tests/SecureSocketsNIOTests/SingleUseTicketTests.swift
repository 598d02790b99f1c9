import NIOCore
import NIOPosix
import SecureSockets
import SecureSocketsNIO
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

/// A channel handler waits for the store of single-use tickets as a listener does.
@Suite(.timeLimit(.minutes(2))) struct `Single-use tickets at a channel handler` {
    private final class Store: SessionStore {
        private let values = Mutex<[[UInt8]: [UInt8]]>([:])

        func insert(_ value: [UInt8], for key: [UInt8], lifetime: Duration) async throws {
            self.values.withLock { $0[key] = value }
        }

        func take(_ key: [UInt8]) async throws -> [UInt8]? { self.values.withLock { $0.removeValue(forKey: key) } }

        func removeAll() { self.values.withLock { $0.removeAll() } }
    }

    private final class Echo: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.writeAndFlush(data, promise: nil) }
    }

    @Test(arguments: [TLSProtocolVersion.tls12, .tls13])
    func `resume a session while the store has the share, and not otherwise`(version: TLSProtocolVersion) async throws {
        let authority = try DevelopmentAuthority()
        let store = Store()
        let tickets = SingleUseTickets(store: store)
        let tls = LiveServerConfiguration(
            try TLSServerConfiguration(identity: authority.server(names: ["127.0.0.1"]).identity),
            ticketKeys: TicketKeys(singleUse: tickets))
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(TLSServerHandler(tls), Echo())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try TLSClientConfiguration(
            trust: authority.trust, sessions: TLSSessionCache(), parameters: TLSParameters(version))
        func visit() async throws -> Bool {
            let before = tickets.statistics.inserted
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: try #require(server.localAddress?.port), tls: client, timeout: Encounter.patience)
            try await socket.send("x")
            #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
            socket.close()
            // A resumed handshake of TLS 1.2 issues no ticket.
            if version == .tls13 || !socket.information.isResumed { await until { tickets.statistics.inserted > before } }
            return socket.information.isResumed
        }
        #expect(try await !visit())
        #expect(try await visit())
        // The ticket of TLS 1.2 was used.
        if version == .tls12 { #expect(try await !visit()) }
        store.removeAll()
        #expect(try await !visit())
        try await server.close()
    }
}
