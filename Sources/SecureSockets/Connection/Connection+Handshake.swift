import NIOCore
import SocketCore
import TLSEngine

/// The handshake and its time limit: `ListenerOptions.handshakeTimeout` for an accepted connection. The limit of `connect` includes the
/// handshake, and is a timer of `ConnectAttempt`.
extension Connection {
    /// Begins the handshake. `completion` is called once, on the loop, with its outcome.
    func start(timeout: Duration?, completion: @escaping (Result<Void, SecureSocketError>) -> Void) {
        guard self.isHandshaking else {
            // Closed on this side, or lost before the handshake could begin.
            return completion(.failure(self.machine.isClosedHere ? .closed(.handshake) : self.connectionLost(.handshake)))
        }
        self.established = completion
        if let timeout {
            self.handshakeTimer = self.executor.after(TimeAmount(timeout)) { self.handshakeTimedOut(after: timeout) }
        }
        self.executor.runTick {
            self.updateReading()
            self.continueHandshake()
        }
    }

    /// Runs the handshake, and returns the handle of the connection. Cancelling the task abandons the handshake.
    func established(timeout: Duration?) async -> Result<SecureSocket, SecureSocketError> {
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                self.onLoop {
                    self.start(timeout: timeout) { outcome in
                        continuation.resume(returning: outcome.flatMap { self.makeHandle(.handshake) }.flatMap { $0.asSecure() })
                    }
                }
            }
        } onCancel: {
            self.onLoop { self.abandonHandshake(.cancelled(.handshake)) }
        }
        // The handshake may have been abandoned before it began.
        if case .failure(let error) = outcome, error.code == .closed, Task.isCancelled { return .failure(.cancelled(.handshake)) }
        return outcome
    }

    func continueHandshake() {
        // The engine continues when the program has decided. Meanwhile nothing is read, so that a peer cannot fill its input.
        guard self.decision == nil else { return }
        switch self.engine.handshake() {
        case .waiting: self.noteOutput()
        case .deciding:
            self.noteOutput()
            self.beginDecision()
        case .complete:
            self.closing.handshakeCompleted()
            self.isEstablished = true
            self.handshakeTimer?.cancel()
            self.handshakeTimer = nil
            self.noteOutput()
            self.report(.success(()))
            self.decrypt()
        case .failed(let failure):
            // A reset explains an end during the handshake better than the end itself.
            if failure.kind == .endedInHandshake, let end = self.closing.peerEnd, end != .truncated {
                self.handshakeFailed(self.connectionLost(.handshake))
            } else {
                self.handshakeFailed(
                    SecureSocketError(
                        handshake: failure, role: self.role, peer: self.peerText,
                        hasSpoken: self.hasSpoken))
            }
        }
    }

    func handshakeFailed(_ error: SecureSocketError) {
        // The order matters: the observer of the failure gives the connection up, and a connection that has not begun to close is then
        // dropped at once. The alert that tells the peer the reason must still be sent.
        self.perform(self.closing.handshakeFailed(timeout: TimeAmount(self.options.lingerTimeout)))
        self.report(.failure(error))
    }

    private func handshakeTimedOut(after timeout: Duration) {
        guard self.isHandshaking else { return }
        self.report(.failure(.handshakeTimedOut(self.peerText, after: timeout, waitingFor: self.tls?.pendingDecision)))
        self.drop()
    }

    /// Abandons the handshake, for a caller that no longer waits for it.
    func abandonHandshake(_ error: SecureSocketError) {
        guard self.isHandshaking else { return }
        self.report(.failure(error))
        self.drop()
    }

    // MARK: Decisions of the program

    private func beginDecision() {
        guard let pending = self.tls?.pendingDecision else { return }
        let address = self.remoteAddress
        let limit = self.decisionLimits?.limit(of: pending.subject)
        self.decision = DecisionRun(limit: limit, onLoop: self.executor.onLoop) {
            await pending(remoteAddress: address)
        } completion: { decision in
            self.decided(decision)
        }
        self.updateReading()
    }

    private func decided(_ decision: HandshakeDecision) {
        self.executor.runTick {
            self.decision = nil
            guard self.isHandshaking, self.established != nil else { return }
            self.tls?.decide(decision)
            self.updateReading()
            self.continueHandshake()
        }
    }

    func report(_ outcome: Result<Void, SecureSocketError>) {
        self.handshakeTimer?.cancel()
        self.handshakeTimer = nil
        self.decision?.cancel()
        self.decision = nil
        self.decisionLimits = nil
        let established = self.established
        self.established = nil
        established?(outcome)
    }
}
