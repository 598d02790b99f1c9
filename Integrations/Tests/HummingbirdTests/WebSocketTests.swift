import HummingbirdCore
import HummingbirdSecureSockets
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import SecureSockets
import SecureSocketsNIO
import SecureSocketsTesting
import Testing

/// WebSocket over the channel handlers at both ends.
@Suite(.timeLimit(.minutes(5))) struct `WebSocket on the channel handlers` {
    private typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

    private let server: WebServer
    private let client: TLSClientConfiguration

    init() throws {
        self.server = try WebServer()
        var parameters = TLSParameters()
        parameters.applicationProtocols = ["http/1.1"]
        self.client = try TLSClientConfiguration(trust: self.server.authority.trust, parameters: parameters)
    }

    private func connect(to port: Int, path: String) async throws -> Frames? {
        let tls = self.client
        let upgrade = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "localhost", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        TLSClientHandler(configuration: tls, serverHostname: "localhost"))
                    let upgrader = NIOTypedWebSocketClientUpgrader<Frames?> { channel, _ in
                        channel.eventLoop.makeCompletedFuture { try Frames(wrappingChannelSynchronously: channel) }
                    }
                    let head = HTTPRequestHead(
                        version: .http1_1, method: .GET, uri: path, headers: ["Host": "localhost", "Content-Length": "0"])
                    let configuration = NIOTypedHTTPClientUpgradeConfiguration<Frames?>(
                        upgradeRequestHead: head, upgraders: [upgrader],
                        notUpgradingCompletionHandler: { channel in channel.close().map { nil } })
                    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                        configuration: .init(upgradeConfiguration: configuration))
                }
            }
        return try await upgrade.get()
    }

    private func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    }

    @Test func `returns what a client sends`() async throws {
        try await self.server.run(.secure(self.server.tls) { WebSocketChannel(responder: $0) }) { port in
            let connected = try await self.connect(to: port, path: "/chat")
            let channel = try #require(connected)
            try await channel.executeThenClose { inbound, outbound in
                var frames = inbound.makeAsyncIterator()
                for length in [0, 1, 125, 126, 16_000] {
                    let bytes = ByteBuffer(repeating: UInt8(ascii: "w"), count: length)
                    try await outbound.write(self.frame(.binary, bytes))
                    let next = try await frames.next()
                    let answer = try #require(next)
                    #expect(answer.opcode == .binary)
                    #expect(answer.data == bytes)
                }
                try await outbound.write(self.frame(.connectionClose, ByteBuffer(integer: UInt16(1000))))
                #expect(try await frames.next()?.opcode == .connectionClose)
                #expect(try await frames.next() == nil)
            }
        }
    }
}
