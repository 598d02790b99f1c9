import Synchronization

/// The statistics of a configuration that several connections share (`LiveServerConfiguration.statistics`).
package final class SharedStatistics: Sendable {
    private let statistics = Mutex(ListenerStatistics())

    package init() {}

    /// The counts so far.
    var present: ListenerStatistics { self.statistics.withLock { $0 } }

    fileprivate func update(_ change: (inout ListenerStatistics) -> Void) { self.statistics.withLock { change(&$0) } }

    func connectionEnded() { self.update { $0.endedConnections += 1 } }

    /// Counts a handshake that begins.
    package func beginHandshake() -> CountedHandshake {
        self.update { $0.handshakesInProgress += 1 }
        return CountedHandshake(self)
    }
}

/// A handshake that is counted, and the connection after it.
///
///     event ↓       state →   handshaking                 open              over
///     completed               open                        -                 counted as completed ¹
///     failed                  over                        -                 -
///     gone                    over                        over              -
///
/// ¹ The connection has gone before its handshake was reported.
package final class CountedHandshake: Sendable {
    private enum State { case handshaking, open, over }

    private let statistics: SharedStatistics
    private let state = Mutex(State.handshaking)

    fileprivate init(_ statistics: SharedStatistics) { self.statistics = statistics }

    deinit { self.gone() }

    package func completed(_ information: ConnectionInformation?) {
        let former = self.move(from: .handshaking, to: .open)
        self.statistics.update { statistics in
            statistics.completed(information)
            switch former {
            case .handshaking: statistics.handshakesInProgress -= 1
            case .open, .over: statistics.openConnections -= 1
            }
        }
    }

    package func failed(_ error: SecureSocketError) {
        guard self.move(from: .handshaking, to: .over) == .handshaking else { return }
        self.statistics.update { statistics in
            statistics.handshakesInProgress -= 1
            statistics.failed(error)
        }
    }

    package func gone() {
        let former = self.state.withLock { state in
            defer { state = .over }
            return state
        }
        switch former {
        case .handshaking: self.statistics.update { $0.handshakesInProgress -= 1 }
        case .open: self.statistics.update { $0.openConnections -= 1 }
        case .over: break
        }
    }

    /// Returns the former state.
    private func move(from expected: State, to next: State) -> State {
        self.state.withLock { state in
            defer { if state == expected { state = next } }
            return state
        }
    }
}
