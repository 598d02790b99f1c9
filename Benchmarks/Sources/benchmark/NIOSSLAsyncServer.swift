import NIOCore
import NIOPosix
import NIOSSL

/// The same server with `NIOSSLHandler` and `NIOAsyncChannel`: how NIO is used by those who write async functions.
enum NIOSSLAsyncServer {
    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    static func run(_ settings: ServerSettings, ready: (Int) -> Void) async throws {
        let context = try NIOSSLServer.context(settings)
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: settings.loops))
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.socketOption(NIOSSLServer.sharingPort), value: settings.sharesPort ? 1 : 0)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .bind(host: settings.host, port: settings.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        ready(server.channel.localAddress?.port ?? 0)
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { connections in
                for try await connection in connections {
                    group.addTask { try? await Self.handle(connection) }
                }
            }
        }
    }

    private static func handle(_ connection: Connection) async throws {
        try await connection.executeThenClose { inbound, outbound in
            var incoming = inbound.makeAsyncIterator()
            guard var first = try await incoming.next(), let mode = first.readInteger(as: UInt8.self) else { return }
            func count() async throws -> Int {
                while first.readableBytes < 8, var more = try await incoming.next() { first.writeBuffer(&more) }
                return first.readInteger(as: UInt64.self).map(Int.init) ?? 0
            }
            switch mode {
            case BenchmarkProtocol.echo:
                if first.readableBytes > 0 { try await outbound.write(first) }
                while let message = try await incoming.next() { try await outbound.write(message) }
            case BenchmarkProtocol.sink:
                var left = try await count() - first.readableBytes
                while left > 0, let bytes = try await incoming.next() { left -= bytes.readableBytes }
                try await outbound.write(ByteBuffer(integer: BenchmarkProtocol.acknowledgement))
                _ = try await incoming.next()
            case BenchmarkProtocol.source:
                var left = try await count()
                let payload = BenchmarkProtocol.payload
                while left > 0 {
                    let size = min(left, payload.readableBytes)
                    try await outbound.write(payload.getSlice(at: payload.readerIndex, length: size) ?? payload)
                    left -= size
                }
            default: return
            }
        }
    }
}
