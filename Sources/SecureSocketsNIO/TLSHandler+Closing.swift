public import NIOCore
import SecureSockets
import TLSEngine

extension TLSHandler {
    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if self.machine.write == .send, !self.held.isEmpty { self.encryptHeldWrites(context) }
        switch mode {
        case .output:
            let decision = self.machine.closeOutput()
            if decision == .passOn { return context.close(mode: .output, promise: promise) }
            self.perform(decision, promise: promise, context)
        case .all: self.perform(self.machine.closeAll(), promise: promise, context)
        case .input: promise?.fail(ChannelError.operationUnsupported)
        }
    }

    func perform(_ decision: ChannelTLSMachine.Close, promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        switch decision {
        case .passOn: context.close(mode: .all, promise: promise)
        case .join: Self.join(promise, to: &self.closePromise)
        case .wait: Self.join(promise, to: &self.closeOutputPromise)
        case .abandon:
            self.cancelWaiting()
            self.failWrites(ChannelError.ioOnClosedChannel)
            context.close(mode: .all, promise: promise)
        case .sendAndCloseOutput:
            Self.join(promise, to: &self.closeOutputPromise)
            self.writeCloseNotify()
            self.afterSending(context) { self.closeChannelOutput() }
        case .sendAndAwait, .send:
            Self.join(promise, to: &self.closePromise)
            self.sendCloseNotify(context)
        }
    }

    private static func join(_ promise: EventLoopPromise<Void>?, to first: inout EventLoopPromise<Void>?) {
        guard let promise else { return }
        if let first { first.futureResult.cascade(to: promise) } else { first = promise }
    }

    /// Sends `close_notify`. The channel is closed when it has been written and the peer's has arrived, or when the time is up.
    func sendCloseNotify(_ context: ChannelHandlerContext) {
        self.writeCloseNotify()
        self.limitClosing(context)
        self.afterSending(context) { self.closeNotifyWasSent() }
        // Also if the program does not read.
        if self.context != nil, self.machine.awaitsCloseNotify {
            self.decrypt()
            if self.machine.awaitsCloseNotify { context.read() }
        }
    }

    /// A second call of BoringSSL's function would read, and might take the peer's `close_notify`.
    private func writeCloseNotify() {
        guard !self.hasSentCloseNotify else { return }
        self.hasSentCloseNotify = true
        self.engine?.writeCloseNotify()
    }

    private func closeNotifyWasSent() {
        if self.machine.closeNotifyWasSent() == .close { self.closeChannel() }
    }

    /// Flushes the engine's output, and calls `body` when it has been written or cannot be.
    private func afterSending(_ context: ChannelHandlerContext, _ body: @escaping () -> Void) {
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in body() }
        self.passOutputOn(context, flush: true, sent: sent)
    }

    private func limitClosing(_ context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = .start(after: self.options.shutdownTimeout, on: context.eventLoop) { self.closeChannel() }
    }

    private func closeChannelOutput() {
        let promise = self.closeOutputPromise
        self.closeOutputPromise = nil
        if let context { context.close(mode: .output, promise: promise) } else { promise?.succeed() }
    }

    /// Closes the channel at once.
    func closeChannel() {
        self.machine.close()
        self.cancelWaiting()
        guard let context else { return self.completeClosing() }
        let promise = self.closePromise
        self.closePromise = nil
        context.close(mode: .all, promise: promise)
    }

    /// Completes the calls that wait for the channel to be closed, which it is.
    func completeClosing() {
        let (closing, closingOutput) = (self.closePromise, self.closeOutputPromise)
        self.closePromise = nil
        self.closeOutputPromise = nil
        closing?.succeed()
        closingOutput?.fail(ChannelError.ioOnClosedChannel)
    }

    // MARK: Failures

    /// Ends a connection that cannot continue: sends the alert, if TLS has produced one, fires the error, and closes the channel.
    func fail(_ error: SecureSocketError, _ context: ChannelHandlerContext) {
        let treatment = self.machine.failed()
        guard treatment != .ignore else { return }
        self.cancelWaiting()
        self.counted?.failed(error)
        if self.hasDelivered {
            self.hasDelivered = false
            context.fireChannelReadComplete()
        }
        if treatment == .drain, !self.isChannelInactive {
            // Encrypted bytes and the alert are written; held writes are not.
            self.limitClosing(context)
            self.afterSending(context) { self.drain() }
        }
        self.failWrites(error)
        context.fireErrorCaught(error)
        if treatment == .close { self.closeChannel() }
    }

    /// Ends the channel's output after the alert, and waits for the peer to read it and to close.
    private func drain() {
        let next = self.machine.alertWasSent()
        if next == .close { return self.closeChannel() }
        guard next == .closeOutput, let context else { return }
        let ended = context.eventLoop.makePromise(of: Void.self)
        ended.futureResult.assumeIsolated().whenFailure { _ in self.closeChannel() }
        context.close(mode: .output, promise: ended)
        if self.context != nil, self.machine.needsBytes { context.read() }
    }
}
