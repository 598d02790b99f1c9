/// The state of TLS in a channel's pipeline: which calls and events have which effect.
///
/// Events arrive as method calls and decisions are returned as values; `TLSHandler` performs them.
///
///     event ↓    state →   idle         handshaking         open                         closing            draining     closed
///     channel active       handshaking  -                   -                            -                  -            -
///     handshake complete   -            open; held writes   -                            -                  -            -
///                                       are sent
///     failure              draining     draining            draining                     closed             -            -
///     write                held         held                sent, unless output ended    refused            refused      refused
///     close(.output)       passed on    after held writes   close_notify; output ended ¹ joins              joins        passed on
///     close(.all)          passed on    closed              close_notify; closing        joins              joins        passed on
///     close_notify         -            -                   input ended ²                its half is done   -            -
///     end of transport     -            failure             failure; nothing ³           its half is done   its half is done
///     close_notify sent    -            -                   -                            its half is done   -            -
///     alert sent           -            -                   -                            -                  its half is done
///     time is up           -            failure             -                            closed             closed       -
///
/// ¹ If the input has ended too: close(.all).
/// ² If the channel allows half-closure and the output has not ended; otherwise it is answered: closing.
/// ³ Nothing if the peer's `close_notify` came before.
///
/// Closing ends when this side's `close_notify` has been written and the peer's has arrived, or the end of the peer's transport. Draining
/// follows a failure: the alert is written, and what still arrives is discarded until the peer's transport ends, because closing a socket
/// with unread bytes resets the connection, and the reset may destroy the alert.
struct ChannelTLSMachine {
    enum State: Equatable {
        case idle
        case handshaking(closesOutput: Bool)
        case open(inputHasEnded: Bool, outputHasEnded: Bool)
        case closing(isSent: Bool, peerHasFinished: Bool)
        case draining(isSent: Bool, peerHasFinished: Bool)
        case closed
    }

    private(set) var state = State.idle

    var isHandshaking: Bool { if case .handshaking = self.state { true } else { false } }
    var isClosed: Bool { self.state == .closed }

    /// Whether the program receives what arrives.
    var delivers: Bool { if case .open(inputHasEnded: false, _) = self.state { true } else { false } }

    /// Whether decrypted bytes are discarded, until the peer's `close_notify`.
    var awaitsCloseNotify: Bool { if case .closing(_, peerHasFinished: false) = self.state { true } else { false } }

    /// Whether bytes are needed though the program does not ask for any.
    var needsBytes: Bool {
        switch self.state {
        case .handshaking, .closing, .draining: true
        case .idle, .open, .closed: false
        }
    }

    // MARK: Handshake

    /// Returns whether the handshake begins.
    mutating func activate() -> Bool {
        guard self.state == .idle else { return false }
        self.state = .handshaking(closesOutput: false)
        return true
    }

    enum AfterHandshake: Equatable { case nothing, closeOutput }

    mutating func handshakeCompleted() -> AfterHandshake {
        guard case .handshaking(let closesOutput) = self.state else { return .nothing }
        self.state = .open(inputHasEnded: false, outputHasEnded: false)
        return closesOutput ? .closeOutput : .nothing
    }

    // MARK: Calls of the program

    enum Write: Equatable { case hold, send, refuseOutputClosed, refuseClosed }

    var write: Write {
        switch self.state {
        case .idle, .handshaking(closesOutput: false): .hold
        case .open(_, outputHasEnded: false): .send
        case .handshaking(closesOutput: true), .open(_, outputHasEnded: true): .refuseOutputClosed
        case .closing, .draining, .closed: .refuseClosed
        }
    }

    enum Close: Equatable {
        /// Pass the call on to the next handler.
        case passOn
        /// Complete the call when the channel is closed.
        case join
        /// Complete the call when the held writes have been sent.
        case wait
        /// Send `close_notify`, then end the channel's output.
        case sendAndCloseOutput
        /// Send `close_notify`, and wait for the peer's.
        case sendAndAwait
        /// Send `close_notify`, and close the channel when it has been written.
        case send
        /// The handshake is abandoned. Close the channel.
        case abandon
    }

    mutating func closeOutput() -> Close {
        switch self.state {
        case .idle, .closed, .open(inputHasEnded: false, outputHasEnded: true): return .passOn
        case .handshaking(closesOutput: false):
            self.state = .handshaking(closesOutput: true)
            return .wait
        case .handshaking(closesOutput: true): return .wait
        case .open(inputHasEnded: false, outputHasEnded: false):
            self.state = .open(inputHasEnded: false, outputHasEnded: true)
            return .sendAndCloseOutput
        case .open(inputHasEnded: true, _): return self.closeAll()
        case .closing, .draining: return .join
        }
    }

    mutating func closeAll() -> Close {
        switch self.state {
        case .idle:
            self.state = .closed
            return .passOn
        case .closed: return .passOn
        case .handshaking:
            self.state = .closed
            return .abandon
        case .open(inputHasEnded: false, _):
            self.state = .closing(isSent: false, peerHasFinished: false)
            return .sendAndAwait
        case .open(inputHasEnded: true, _):
            self.state = .closing(isSent: false, peerHasFinished: true)
            return .send
        case .closing, .draining: return .join
        }
    }

    // MARK: Events of the peer and the transport

    enum Finish: Equatable {
        case nothing
        /// Tell the program that the input has ended.
        case reportInputClosed
        /// Answer with `close_notify`. The channel is closed when it has been written.
        case answer
        /// Both sides have finished. Close the channel.
        case close
    }

    /// The peer's `close_notify` has arrived.
    mutating func peerFinished(allowsHalfClosure: Bool) -> Finish {
        switch self.state {
        case .open(inputHasEnded: false, outputHasEnded: false) where allowsHalfClosure:
            self.state = .open(inputHasEnded: true, outputHasEnded: false)
            return .reportInputClosed
        case .open(inputHasEnded: false, _):
            self.state = .closing(isSent: false, peerHasFinished: true)
            return .answer
        case .closing(isSent: true, peerHasFinished: false):
            self.state = .closed
            return .close
        case .closing(isSent: false, peerHasFinished: false):
            self.state = .closing(isSent: false, peerHasFinished: true)
            return .nothing
        case .idle, .handshaking, .open(inputHasEnded: true, _), .closing(_, peerHasFinished: true), .draining, .closed:
            return .nothing
        }
    }

    /// The peer's side of the transport has ended without `close_notify`, and the channel's output is still open. The failure is reported,
    /// and the program may still write.
    mutating func inputWasTruncated() {
        if case .open(inputHasEnded: false, let outputHasEnded) = self.state {
            self.state = .open(inputHasEnded: true, outputHasEnded: outputHasEnded)
        }
    }

    enum Sent: Equatable { case nothing, close, closeOutput }

    /// The peer's side of the transport has ended while the connection closes or drains: nothing more will come.
    mutating func transportInputEnded() -> Sent {
        switch self.state {
        case .closing(isSent: true, _), .draining(isSent: true, _):
            self.state = .closed
            return .close
        case .closing(isSent: false, _):
            self.state = .closing(isSent: false, peerHasFinished: true)
            return .nothing
        case .draining(isSent: false, _):
            self.state = .draining(isSent: false, peerHasFinished: true)
            return .nothing
        case .idle, .handshaking, .open, .closed: return .nothing
        }
    }

    /// The alert, and everything before it, has been written.
    mutating func alertWasSent() -> Sent {
        switch self.state {
        case .draining(isSent: false, peerHasFinished: true):
            self.state = .closed
            return .close
        case .draining(isSent: false, peerHasFinished: false):
            self.state = .draining(isSent: true, peerHasFinished: false)
            return .closeOutput
        case .idle, .handshaking, .open, .closing, .draining(isSent: true, _), .closed: return .nothing
        }
    }

    /// This side's `close_notify` has been written.
    mutating func closeNotifyWasSent() -> Sent {
        switch self.state {
        case .closing(isSent: false, peerHasFinished: true):
            self.state = .closed
            return .close
        case .closing(isSent: false, peerHasFinished: false):
            self.state = .closing(isSent: true, peerHasFinished: false)
            return .nothing
        case .idle, .handshaking, .open, .closing(isSent: true, _), .draining, .closed: return .nothing
        }
    }

    enum Failure: Equatable { case ignore, drain, close }

    /// The connection has failed: TLS, the program's decision, or a time limit.
    mutating func failed() -> Failure {
        switch self.state {
        case .idle, .handshaking, .open:
            self.state = .draining(isSent: false, peerHasFinished: false)
            return .drain
        case .closing:
            self.state = .closed
            return .close
        case .draining, .closed: return .ignore
        }
    }

    /// The channel is closed, or is to be closed now. Returns false if that is known.
    @discardableResult mutating func close() -> Bool {
        defer { self.state = .closed }
        return self.state != .closed
    }
}
