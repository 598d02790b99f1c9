#if NIOSSLSupport
    import NIOCore
    import NIOEmbedded
    import NIOTLS

    /// A client's and a server's handler in channels without a network.
    struct NIOSSLDialogue {
        /// What arrives behind a handler.
        final class Recorder: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            private(set) var text = ""
            private(set) var isOpen = false
            private(set) var applicationProtocol: String?
            private(set) var errors: [any Error] = []

            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                self.text += String(buffer: Self.unwrapInboundIn(data))
            }

            func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
                guard case TLSUserEvent.handshakeCompleted(let negotiated) = event else { return }
                self.isOpen = true
                self.applicationProtocol = negotiated
            }

            func errorCaught(context: ChannelHandlerContext, error: any Error) { self.errors.append(error) }
        }

        struct End {
            let channel: EmbeddedChannel
            let recorder = Recorder()

            fileprivate init(_ handler: any ChannelHandler, on loop: EmbeddedEventLoop) throws {
                self.channel = EmbeddedChannel(loop: loop)
                try self.channel.pipeline.syncOperations.addHandlers([handler, self.recorder])
            }

            /// Passes the bytes that this end has written to the other. Returns whether there were any.
            fileprivate func passOutput(to other: End) throws -> Bool {
                var output = ByteBuffer()
                while var part = try self.channel.readOutbound(as: ByteBuffer.self) { output.writeBuffer(&part) }
                guard output.readableBytes > 0 else { return false }
                if other.channel.isActive {
                    // An error reaches the recorder as well.
                    _ = try? other.channel.writeInbound(output)
                }
                return true
            }
        }

        private let loop = EmbeddedEventLoop()
        let client: End
        let server: End

        /// Makes the handshake, as far as it gets.
        init(_ client: any ChannelHandler, _ server: any ChannelHandler) throws {
            self.client = try End(client, on: self.loop)
            self.server = try End(server, on: self.loop)
            let address = try SocketAddress(ipAddress: "127.0.0.1", port: 443)
            for end in [self.server, self.client] { end.channel.connect(to: address, promise: nil) }
            self.loop.run()
            try self.exchange()
        }

        var isOpen: Bool { self.client.recorder.isOpen && self.server.recorder.isOpen && self.errors.isEmpty }
        var errors: [any Error] { self.client.recorder.errors + self.server.recorder.errors }

        /// Passes bytes on until both ends are silent.
        func exchange() throws {
            while true {
                let sent = [try self.client.passOutput(to: self.server), try self.server.passOutput(to: self.client)]
                self.loop.run()
                if sent == [false, false] { return }
            }
        }

        /// Whether a text arrives in each direction.
        func carriesText() throws -> Bool {
            for (end, text) in [(self.client, "from the client"), (self.server, "from the server")] {
                end.channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
            }
            self.loop.run()
            try self.exchange()
            return self.server.recorder.text == "from the client" && self.client.recorder.text == "from the server"
        }
    }
#endif
