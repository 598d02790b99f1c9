import NIOCore
import SocketCore
import TLSEngine

extension Connection {
    // MARK: Calls

    /// Sends one unit. Returns when all of it has been accepted.
    @inline(__always) func send(
        _ payload: ByteBuffer, timeout: Duration?
    ) async throws(SecureSocketError) {
        if self.executor.isOnLoop, let outcome = self.sendAtOnce(payload) { return try outcome.get() }
        try await self.wait(.sending) { waiter in
            self.startSending(waiter, payload, timeout)
        } forget: { (waiter: Waiter<Void>) in
            self.forgetSender(waiter, .cancelled(.sending))
        }
    }

    /// Returns nil if the call has to wait; nothing has been changed then.
    private func sendAtOnce(_ payload: ByteBuffer) -> Result<Void, SecureSocketError>? {
        if let error = self.refusal(of: payload) { return .failure(error) }
        guard
            self.isOpen, self.sendQueue.isEmpty, self.transport.isWritable,
            self.engine.pendingOutput + payload.readableBytes <= self.options.outputLimit
        else { return nil }
        return self.isFramed ? self.encryptPacket(payload) : self.encrypt(payload)
    }

    private func startSending(_ waiter: Waiter<Void>, _ payload: ByteBuffer, _ timeout: Duration?) {
        if let outcome = self.sendAtOnce(payload) { return waiter.resume(outcome) }
        self.assignID(to: waiter)
        self.senders.append(waiter)
        self.sendQueue.append(waiter.id, self.options.framing.framing.packet(of: payload))
        self.pump()
        guard waiter.isWaiting, let timeout else { return }
        waiter.limit(to: timeout, on: self.executor) {
            let error = SecureSocketError.timedOut(.sending, "\(self.peerText) did not take the bytes within \(timeout)")
            if waiter.isWaiting, let outcome = self.forgetSender(waiter, error) { waiter.resume(outcome) }
        }
    }

    /// Withdraws a unit of which nothing has been sent. A unit that has been sent in part is completed, and its call succeeds.
    private func forgetSender(_ waiter: Waiter<Void>, _ error: SecureSocketError) -> Result<Void, SecureSocketError>? {
        let cancellation = self.sendQueue.cancel(waiter.id)
        if cancellation == .unknown { return nil }
        self.senders.removeAll { $0 === waiter }
        return cancellation == .dropped ? .failure(error) : .success(())
    }

    /// The connection's state is checked before the argument.
    private func refusal(of payload: ByteBuffer) -> SecureSocketError? {
        if let refusal = self.machine.sendRefusal { return self.error(for: refusal, .sending) }
        guard self.isFramed else { return nil }
        let framing = self.options.framing.framing
        guard payload.readableBytes <= framing.largestPayload else {
            return SecureSocketError(
                .packetTooLarge, blame: .caller, step: .sending,
                "a packet of \(payload.readableBytes) bytes is longer than its header can say (\(framing.largestPayload))",
                advice: "Send it in parts, or use a longer packet header")
        }
        if framing.headerLength > 0 { return nil }
        guard !framing.isBroken(by: payload) else {
            return SecureSocketError(
                .invalidArgument, blame: .caller, step: .sending,
                framing == .line || framing == .crlfLine
                    ? "the line contains a line break; its receiver would take it for more than one"
                    : "the packet contains the delimiter; its receiver would take it for more than one",
                advice: "Send the parts separately, or use a framing with a length header")
        }
        return nil
    }

    /// Throws if nothing can be sent. Does not wait.
    func requireWritable() async throws(SecureSocketError) {
        try await self.wait(.sending) { (waiter: Waiter<Void>) in
            waiter.resume(self.machine.sendRefusal.map { .failure(self.error(for: $0, .sending)) } ?? .success(()))
        } forget: { _ in
            .failure(.cancelled(.sending))
        }
    }

    // MARK: Output

    private func encrypt(_ bytes: ByteBuffer) -> Result<Void, SecureSocketError> {
        bytes.withUnsafeReadableBytes { self.encrypt($0) }
    }

    /// The longest packet that is assembled on the stack. Longer ones are assembled in an allocated buffer.
    private static let largestPacketOnTheStack = 1024

    private func encryptPacket(_ payload: ByteBuffer) -> Result<Void, SecureSocketError> {
        let framing = self.options.framing.framing
        let length = framing.overhead + payload.readableBytes
        guard length <= Self.largestPacketOnTheStack else { return self.encrypt(framing.packet(of: payload)) }
        return withUnsafeTemporaryAllocation(byteCount: length, alignment: 1) { packet in
            payload.withUnsafeReadableBytes { framing.write($0, into: packet) }
            return self.encrypt(UnsafeRawBufferPointer(packet))
        }
    }

    private func encrypt(_ bytes: UnsafeRawBufferPointer) -> Result<Void, SecureSocketError> {
        // No bytes make no record, and would leave an unused buffer in the engine.
        if bytes.count == 0 { return .success(()) }
        if self.engine.pendingOutput == 0 { self.engine.useForOutput(self.executor.takeSpareOutput()) }
        do {
            try self.engine.write(bytes)
            self.noteOutput()
            return .success(())
        } catch {
            let failure = SecureSocketError(
                error, role: self.role, step: .sending, peer: self.peerText)
            self.writeFailure = failure
            self.breakWriting()
            return .failure(failure)
        }
    }

    /// Encrypts from the queue. When it is empty, performs what follows the last unit.
    func pump() {
        while self.transport.isWritable, !self.machine.isWritingBroken {
            var room = self.options.outputLimit - self.engine.pendingOutput
            // Whole records, if there is room for one: a short one costs as much.
            if room > TLSEngine.largestPlaintext { room -= room % TLSEngine.largestPlaintext }
            guard room > 0, let (chunk, completed) = self.sendQueue.takeChunk(limit: room) else { break }
            let outcome = self.encrypt(chunk)
            if let completed, let index = self.senders.firstIndex(where: { $0.id == completed }) {
                self.senders.remove(at: index).resume(outcome)
            }
        }
        guard self.sendQueue.isEmpty else { return }
        if self.machine.isClosingWriting { self.completeClosingWriting() }
        if self.isClosing { self.closeTransportWriting() }
    }

    /// Handles the state in which nothing can be sent any more.
    func breakWriting() {
        guard !self.machine.isWritingBroken, !self.machine.isWritingClosed else { return }
        self.machine.writingBroke()
        _ = self.sendQueue.dropAll()
        if !self.senders.isEmpty || !self.writingClosers.isEmpty {
            let error = self.writeFailure ?? self.connectionLost(.sending)
            let waiting = self.senders + self.writingClosers
            self.senders.removeAll()
            self.writingClosers.removeAll()
            for waiter in waiting { waiter.resume(.failure(error)) }
        }
        self.perform(self.closing.writingBroke())
    }

    // MARK: Half-close

    /// Ends this side's stream after everything that was accepted.
    func closeWriting() async throws(SecureSocketError) {
        try await self.wait(.sending) { waiter in
            switch self.machine.closeWriting() {
            case .alreadyClosed: waiter.resume(.success(()))
            case .refuse(let refusal): waiter.resume(.failure(self.error(for: refusal, .sending)))
            case .wait:
                self.writingClosers.append(waiter)
                self.pump()
            }
        } forget: { (waiter: Waiter<Void>) in
            // The stream ends nevertheless.
            self.writingClosers.removeAll { $0 === waiter }
            return .failure(.cancelled(.sending))
        }
    }

    private func completeClosingWriting() {
        self.machine.writingClosed()
        for closer in self.writingClosers { closer.resume(.success(())) }
        self.writingClosers.removeAll()
        // If the peer has finished as well, this may close the transport at once.
        self.closeTransportWriting()
    }
}
