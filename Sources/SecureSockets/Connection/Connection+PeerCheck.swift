import NIOCore
import TLSEngine

/// Ends an open connection whose peer would no longer be accepted (`ListenerOptions.openConnections`).
extension Connection {
    /// The longest delay of a timer. A certificate that is valid for longer is checked once more in between.
    private static let longestDelay: Int64 = 24 * 3600

    /// Checks the peer when its certificate expires, by the rules that `present` returns then. Called when the handshake is complete.
    func watchPeer(grace: Duration, present: @escaping @Sendable () -> TLSContext) {
        let end = self.engine.negotiated?.peerCertificates.compactMap(\.notAfter).min()
        guard let end, !self.isTransportGone else { return }
        let delay = min(max(end - present().settings.currentTime, 0) + 1, Self.longestDelay)
        self.peerTimer = self.executor.after(.seconds(delay)) {
            self.checkPeer(under: present(), grace: grace)
            if self.isOpen, self.peerTimer != nil { self.watchPeer(grace: grace, present: present) }
        }
    }

    /// Ends the connection after the grace period if the peer's certificates would be refused now.
    func checkPeer(under context: TLSContext, grace: Duration) {
        guard self.isOpen, let refusal = self.engine.refusalOfPeer(under: context) else { return }
        self.peerTimer?.cancel()
        self.peerTimer = nil
        self.beginShutdown()
        self.executor.after(TimeAmount(grace)) { self.end(for: refusal) }
    }

    private func end(for refusal: CertificateRefusal) {
        guard self.isOpen else { return }
        let failure = TLSFailure(.certificateVerificationFailed(refusal))
        self.readFailure = SecureSocketError(failure, role: .server, step: .receiving, peer: self.peerText)
        self.writeFailure = SecureSocketError(failure, role: .server, step: .sending, peer: self.peerText)
        self.engine.writeFatalAlert(refusal.alert)
        if let output = self.engine.takeOutput() { self.transport.write(output) }
        self.transportFailedOnThisSide()
        self.transport.close()
    }
}
