import NIOCore
import NIOTLS
import SecureSockets
import TLSEngine

extension TLSHandler {
    func beginHandshake(_ context: ChannelHandlerContext) {
        do throws(SecureSocketError) {
            self.engine = try self.makeEngine(for: context.channel)
        } catch {
            return self.fail(error, context)
        }
        if let timeout = self.options.handshakeTimeout {
            self.timer = .start(after: timeout, on: context.eventLoop) { self.handshakeTimedOut(after: timeout) }
        }
        self.continueHandshake(context)
        if self.machine.isHandshaking, self.decision == nil { context.read() }
    }

    func continueHandshake(_ context: ChannelHandlerContext) {
        guard self.machine.isHandshaking, self.decision == nil, let engine else { return }
        switch engine.handshake() {
        case .waiting: self.passOutputOn(context, flush: true)
        case .deciding:
            self.passOutputOn(context, flush: true)
            self.beginDecision(context)
        case .complete: self.complete(engine, context)
        case .failed(let failure):
            self.fail(
                SecureSocketError(handshake: failure, role: self.role, peer: self.peerText, hasSpoken: self.peerHasSpoken),
                context)
        }
    }

    private func complete(_ engine: TLSEngine, _ context: ChannelHandlerContext) {
        self.cancelWaiting()
        self.counted?.completed(self.information)
        let next = self.machine.handshakeCompleted()
        let applicationProtocol = engine.selectedApplicationProtocol
        // Held writes before the event, because its receivers may write as well; those that the program has not flushed after the flush.
        // If the channel is closed by these, it has no handshake to report.
        self.isCompletingHandshake = true
        if self.held.isFlushed { self.encryptHeldWrites(context) }
        self.passOutputOn(context, flush: true)
        self.encryptHeldWrites(context)
        self.isCompletingHandshake = false
        guard self.context != nil, !self.machine.isClosed else { return }
        switch next {
        case .nothing: break
        case .closeOutput: self.perform(self.machine.closeOutput(), promise: nil, context)
        }
        guard self.context != nil else { return }
        context.fireUserInboundEventTriggered(TLSUserEvent.handshakeCompleted(negotiatedProtocol: applicationProtocol))
        self.decrypt()
    }

    private func handshakeTimedOut(after timeout: TimeAmount) {
        guard self.machine.isHandshaking, let context else { return }
        self.fail(
            .handshakeTimedOut(self.peerText, after: Duration(timeout), waitingFor: self.engine?.pendingDecision), context)
    }

    // MARK: Decisions of the program

    /// Asks the program. Meanwhile the channel reads nothing, so that a peer cannot fill the engine's input.
    private func beginDecision(_ context: ChannelHandlerContext) {
        guard let pending = self.engine?.pendingDecision else { return }
        let (loop, address) = (context.eventLoop, context.channel.remoteAddress)
        let handler = NIOLoopBound(self, eventLoop: loop)
        self.lastDecision += 1
        let number = self.lastDecision
        let limit = self.decisions?.limit(of: pending.subject)
        self.decision = DecisionRun(limit: limit) {
            loop.execute($0)
        } _: {
            await pending(remoteAddress: address)
        } completion: { decision in
            handler.value.decided(decision, number)
        }
    }

    private func decided(_ decision: HandshakeDecision, _ number: Int) {
        // A decision that was cancelled may have been made already.
        guard self.decision != nil, number == self.lastDecision else { return }
        self.decision = nil
        guard self.machine.isHandshaking, let context else { return }
        self.engine?.decide(decision)
        self.continueHandshake(context)
        guard self.context != nil else { return }
        // Bytes may have come with the end of the handshake. No read of the channel ends after them.
        self.completeDelivery(context)
        guard self.decision == nil, self.context != nil else { return }
        // A channel that reads by itself does not ask again: it waits for the read that was held back.
        let readsByItself = self.hasWithheldRead && ((try? context.channel.syncOptions?.getOption(.autoRead)) ?? nil) ?? true
        self.hasWithheldRead = false
        if self.machine.needsBytes || self.isReadRequested || readsByItself { context.read() }
    }

    /// Ends the handshake because the peer's side of the transport has ended.
    func endHandshake(_ context: ChannelHandlerContext) {
        if let decision {
            decision.cancel()
            self.decision = nil
        } else {
            self.continueHandshake(context)
        }
        guard self.machine.isHandshaking else { return }
        self.fail(
            SecureSocketError(
                .endedInHandshake, blame: .peer, step: .handshake,
                "\(self.peerText) ended the connection before the handshake was complete"), context)
    }
}
