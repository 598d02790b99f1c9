import NIOCore
import SocketCore
import TLSEngine

/// The check whether the peer of an open connection would still be accepted (`ListenerOptions.openConnections`, and those of live
/// configurations).
///
///     state       the certificate expires, or an update       the grace period is over
///     watching    accepted: watching; refused: ending         -
///     ending      accepted again: watching                    refused: the connection ends
///
/// A sequence that has ended for its handler remains ended. If the peer is accepted again within the grace period, later ones do not end.
struct PeerWatch {
    let grace: TimeAmount
    /// The present policy of the listener, or of the live configuration.
    let present: @Sendable () -> TLSContext
    /// Called when the connection begins to end.
    let refused: @Sendable (SecureSocketError) -> Void
    var isEnding = false
    /// The next check, or the end of the grace period.
    var timer: EventLoopExecutor.Timer?
}

extension Connection {
    /// The longest time without a check, in seconds.
    private static let longestDelay: Int64 = 24 * 3600

    /// Begins to watch a peer whose handshake is complete.
    func watchPeer(_ watch: PeerWatch) {
        guard self.isOpen, let tls else { return }
        self.peerWatch = watch
        // The policy may have been replaced since the hello.
        if watch.present().verifiesAlike(tls.context) { self.scheduleCheck() } else { self.checkPeer() }
    }

    func endWatch() {
        self.peerWatch?.timer?.cancel()
        self.peerWatch = nil
    }

    /// Begins to end the connection if the peer's certificates would be refused now.
    func checkPeer() {
        guard self.isOpen, let tls, let watch = self.peerWatch else { return }
        guard let refusal = Self.refusal(of: tls, under: watch.present()) else {
            self.peerWatch?.isEnding = false
            return self.scheduleCheck()
        }
        guard !watch.isEnding else { return }
        watch.timer?.cancel()
        self.peerWatch?.isEnding = true
        watch.refused(self.error(for: refusal, .receiving))
        self.peerWatch?.timer = self.executor.after(watch.grace) { self.endIfRefused() }
        self.endCallsForShutdown()
    }

    /// Schedules the check at the next end of a certificate's validity among those that the peer has sent. Certificates outside the verified
    /// chain may have expired long ago.
    private func scheduleCheck() {
        guard let tls, let watch = self.peerWatch else { return }
        watch.timer?.cancel()
        let now = watch.present().settings.currentTime
        let end = tls.endsOfPeerCertificates.filter { $0 >= now }.min()
        let delay = min(end.map { $0 - now + 1 } ?? Self.longestDelay, Self.longestDelay)
        self.peerWatch?.timer = self.executor.after(.seconds(delay)) { self.checkPeer() }
    }

    /// Returns the reason for which the peer is no longer accepted. Revocation lists that are missing or outdated are none: the peer was
    /// accepted when they were there, and their distribution may be interrupted for all peers.
    private static func refusal(of tls: TLSEngine, under present: TLSContext) -> CertificateRefusal? {
        guard let refusal = tls.refusalOfPeer(under: present) else { return nil }
        if case .revocationUnknown = refusal.detail { return nil }
        return refusal
    }

    private func error(for refusal: CertificateRefusal, _ step: SecureSocketError.Step) -> SecureSocketError {
        SecureSocketError(
            TLSFailure(.certificateVerificationFailed(refusal)), role: self.role, step: step, peer: self.peerText)
    }

    private func endIfRefused() {
        guard self.isOpen, let tls, let watch = self.peerWatch else { return }
        self.peerWatch?.isEnding = false
        // A later update may have accepted the peer again.
        guard let refusal = Self.refusal(of: tls, under: watch.present()) else { return self.scheduleCheck() }
        self.endWatch()
        self.readFailure = self.error(for: refusal, .receiving)
        self.writeFailure = self.error(for: refusal, .sending)
        tls.writeFatalAlert(refusal.alert)
        self.machine.streamEnded(.failed)
        self.breakWriting()
        self.decrypt()
        self.perform(self.closing.peerRefused(timeout: TimeAmount(self.options.lingerTimeout)))
    }
}
