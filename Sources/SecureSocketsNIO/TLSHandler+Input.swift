public import NIOCore
import NIOTLS
import SecureSockets
import TLSEngine

extension TLSHandler {
    /// The most bytes that are handed to the program in one piece.
    private static let largestDelivery = 64 << 10

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = TLSHandler.unwrapInboundIn(data)
        // Bytes are never passed on undecrypted: without an engine, the connection has failed or not begun.
        guard let engine else { return }
        self.peerHasSpoken = true
        if self.machine.isHandshaking {
            engine.receive(bytes)
            self.continueHandshake(context)
        } else if self.machine.delivers || self.machine.awaitsCloseNotify {
            engine.receive(bytes)
            self.decrypt()
        }
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        let hasDelivered = self.hasDelivered
        self.completeDelivery(context)
        guard self.decision == nil else { return }
        // What the program asked for has not come: there was a part of a record, or a message of TLS.
        if self.machine.needsBytes || (self.isReadRequested && !hasDelivered) { context.read() }
    }

    /// Tells the program that a read is complete, if it has received bytes.
    func completeDelivery(_ context: ChannelHandlerContext) {
        if self.hasOutputOfItsOwn { self.passOutputOn(context, flush: true) }
        guard self.hasDelivered else { return }
        self.hasDelivered = false
        context.fireChannelReadComplete()
    }

    public func read(context: ChannelHandlerContext) {
        self.isReadRequested = true
        if self.decision == nil { context.read() } else { self.hasWithheldRead = true }
    }

    /// Decrypts what has arrived, and hands it to the program, or discards it while closing.
    ///
    /// All of it, also what came with the end of the handshake, for which the program has not asked: a channel whose automatic reading is
    /// switched on later reads without a call of this handler's `read`, so that nothing would ever deliver what was kept.
    func decrypt() {
        // A handler that receives bytes may cause more to arrive; they are decrypted after it has returned.
        guard !self.isDecrypting, !self.isCompletingHandshake else { return }
        self.isDecrypting = true
        defer { self.isDecrypting = false }
        while let context, let engine, self.machine.delivers || self.machine.awaitsCloseNotify {
            var plaintext = ByteBuffer()
            let pendingOutput = engine.pendingOutput
            let progress = engine.read(into: &plaintext, limit: Self.largestDelivery)
            if engine.pendingOutput > pendingOutput { self.hasOutputOfItsOwn = true }
            if plaintext.readableBytes > 0, self.machine.delivers {
                // Before the call, because the program may ask for more in it.
                self.isReadRequested = false
                self.hasDelivered = true
                context.fireChannelRead(NIOAny(plaintext))
            }
            switch progress {
            case .limitReached, .paused: continue
            case .waiting:
                // Bytes that arrived during the call.
                if engine.unreadInput > 0, self.engine != nil, plaintext.readableBytes > 0 { continue }
                return
            case .closed: return self.peerHasFinished()
            case .truncated: return self.inputWasTruncated()
            case .failed(let failure):
                return self.fail(SecureSocketError(failure, role: self.role, step: .receiving, peer: self.peerText), context)
            }
        }
    }

    /// Decrypts what has arrived when nothing more will: also in the middle of a delivery, in which the channel was closed by the program, or
    /// by a write that failed. What is delivered comes after the bytes whose delivery has begun.
    private func decryptToTheEnd() {
        self.isDecrypting = false
        self.decrypt()
    }

    // MARK: The end of the peer's stream

    private func peerHasFinished() {
        guard let context else { return }
        self.peerHasSentCloseNotify = true
        let allowsHalfClosure = ((try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)) ?? nil) ?? false
        // While closing, the peer's answer is not news.
        if self.machine.delivers { self.completeDelivery(context) }
        switch self.machine.peerFinished(allowsHalfClosure: allowsHalfClosure && !self.isChannelInactive) {
        case .nothing: break
        case .reportInputClosed: context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case .answer:
            context.fireUserInboundEventTriggered(TLSUserEvent.shutdownCompleted)
            self.sendCloseNotify(context)
        case .close:
            context.fireUserInboundEventTriggered(TLSUserEvent.shutdownCompleted)
            self.closeChannel()
        }
    }

    private func inputWasTruncated() {
        guard let context, self.machine.delivers else { return }
        self.completeDelivery(context)
        self.machine.inputWasTruncated()
        context.fireErrorCaught(SecureSocketError.truncated(self.peerText))
    }

    /// The transport's input has ended, and its output has not.
    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent, let engine else {
            return context.fireUserInboundEventTriggered(event)
        }
        engine.receiveEnd()
        if self.machine.isHandshaking {
            self.endHandshake(context)
        } else if self.machine.delivers {
            self.decryptToTheEnd()
            // After `close_notify`, the end was reported.
            if !self.peerHasSentCloseNotify { context.fireUserInboundEventTriggered(event) }
        } else {
            if self.machine.awaitsCloseNotify { self.decrypt() }
            if self.machine.transportInputEnded() == .close { self.closeChannel() }
        }
    }

    public func channelInactive(context: ChannelHandlerContext) {
        self.isChannelInactive = true
        self.engine?.receiveEnd()
        if self.machine.isHandshaking {
            self.endHandshake(context)
        } else if self.machine.delivers {
            self.decryptToTheEnd()
        }
        self.machine.close()
        self.cancelWaiting()
        self.failWrites(ChannelError.ioOnClosedChannel)
        self.completeClosing()
        context.fireChannelInactive()
    }

    /// An error of the channel explains the end of a handshake better than the end itself.
    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.machine.isHandshaking, error is IOError {
            self.fail(.transport(error, step: .handshake, "the connection to \(self.peerText) was lost"), context)
        } else {
            if self.machine.delivers, error is IOError {
                // What arrived before is not lost. The end of the stream is reported by this error.
                self.decryptToTheEnd()
                self.completeDelivery(context)
                self.machine.inputWasTruncated()
            }
            context.fireErrorCaught(error)
        }
    }
}
