import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// The same server with a TLS handler and a handler of the protocol in NIO's channels: no async functions, the fastest way that NIO has.
enum NIOSSLServer {
    /// Has no name of its own in NIO.
    static let sharingPort = NIOBSDSocket.Option(rawValue: SO_REUSEPORT)

    static func run(_ settings: ServerSettings, ready: (Int) -> Void) async throws {
        let context = try Self.context(settings)
        try await Self.run(settings, with: { NIOSSLServerHandler(context: context) }, ready: ready)
    }

    /// Runs the server with a TLS handler.
    static func run<Handler: ChannelHandler>(
        _ settings: ServerSettings, with handler: @escaping @Sendable () -> Handler, ready: (Int) -> Void
    ) async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: settings.loops))
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.socketOption(NIOSSLServer.sharingPort), value: settings.sharesPort ? 1 : 0)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 16)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 128 << 10, high: 512 << 10))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler())
                    try channel.pipeline.syncOperations.addHandler(NIOSSLBenchmarkHandler())
                }
            }
            .bind(host: settings.host, port: settings.port).get()
        ready(channel.localAddress?.port ?? 0)
        try await channel.closeFuture.get()
    }

    static func context(_ settings: ServerSettings) throws -> NIOSSLContext {
        let configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(settings.certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: settings.key, format: .pem)))
        return try NIOSSLContext(configuration: configuration)
    }
}

private final class NIOSSLBenchmarkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Mode { case start, echo, sinkCount, sink, sourceCount, source, done }
    private var mode = Mode.start
    private var counting = ByteBuffer()
    private var left = 0
    private var mustFlush = false
    private var isPumping = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = Self.unwrapInboundIn(data)
        if self.mode == .start {
            switch bytes.readInteger(as: UInt8.self) {
            case BenchmarkProtocol.echo: self.mode = .echo
            case BenchmarkProtocol.sink: self.mode = .sinkCount
            case BenchmarkProtocol.source: self.mode = .sourceCount
            case nil: return
            default: return context.close(promise: nil)
            }
        }
        switch self.mode {
        case .echo:
            guard bytes.readableBytes > 0 else { return }
            context.write(Self.wrapOutboundOut(bytes), promise: nil)
            self.mustFlush = true
        case .sinkCount:
            guard let count = self.count(&bytes) else { return }
            self.left = count
            self.mode = .sink
            self.take(self.counting.readableBytes, context)
        case .sink: self.take(bytes.readableBytes, context)
        case .sourceCount:
            guard let count = self.count(&bytes) else { return }
            self.left = count
            self.mode = .source
            self.pump(context)
        case .start, .source, .done: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard self.mustFlush else { return }
        self.mustFlush = false
        context.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if self.mode == .source, context.channel.isWritable { self.pump(context) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func count(_ bytes: inout ByteBuffer) -> Int? {
        self.counting.writeBuffer(&bytes)
        return self.counting.readInteger(as: UInt64.self).map(Int.init)
    }

    private func take(_ count: Int, _ context: ChannelHandlerContext) {
        self.left -= count
        guard self.left <= 0 else { return }
        self.mode = .done
        context.writeAndFlush(
            Self.wrapOutboundOut(ByteBuffer(integer: BenchmarkProtocol.acknowledgement)), promise: nil)
    }

    /// The channel's writability does not see what `NIOSSLHandler` holds before a flush: without one every 256 KiB the whole stream
    /// would be buffered.
    private func pump(_ context: ChannelHandlerContext) {
        if self.isPumping { return }
        self.isPumping = true
        defer { self.isPumping = false }
        let payload = BenchmarkProtocol.payload
        while self.left > 0, context.channel.isWritable {
            for _ in 0..<4 where self.left > 0 {
                let size = min(self.left, payload.readableBytes)
                self.left -= size
                context.write(
                    Self.wrapOutboundOut(payload.getSlice(at: payload.readerIndex, length: size) ?? payload), promise: nil)
            }
            context.flush()
        }
        if self.left == 0 {
            self.mode = .done
            context.close(promise: nil)
        }
    }
}
