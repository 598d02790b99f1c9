import Synchronization

/// The statistics of a configuration that several connections share (`LiveServerConfiguration.statistics`).
package final class SharedStatistics: Sendable {
    private let statistics = Mutex(ListenerStatistics())

    package init() {}

    /// The counts so far.
    var present: ListenerStatistics { self.statistics.withLock { $0 } }

    fileprivate func update(_ change: (inout ListenerStatistics) -> Void) { self.statistics.withLock { change(&$0) } }

    func openConnectionRefused() { self.update { $0.refusedOpenConnections += 1 } }

    /// Counts a handshake that begins.
    package func beginHandshake() -> CountedHandshake {
        self.update { $0.handshakesInProgress += 1 }
        return CountedHandshake(self)
    }
}

/// A handshake that is counted, and the connection after it.
///
///     event ↓       state →   handshaking       gone ¹             open              over
///     completed               open              over               -                 -
///     failed                  over              over               -                 -
///     gone                    gone              -                  over              -
///
/// ¹ The connection has gone, and the outcome of its handshake has not been reported yet: the program's task may learn it later.
package final class CountedHandshake: Sendable {
    private enum State { case handshaking, gone, open, over }

    private let statistics: SharedStatistics
    private let state = Mutex(State.handshaking)

    fileprivate init(_ statistics: SharedStatistics) { self.statistics = statistics }

    deinit { self.gone() }

    package func completed(_ information: ConnectionInformation?) {
        switch self.move([.handshaking: .open, .gone: .over]) {
        case .handshaking:
            self.statistics.update { statistics in
                statistics.handshakesInProgress -= 1
                statistics.completed(information)
            }
        case .gone:
            self.statistics.update { statistics in
                statistics.completed(information)
                statistics.openConnections -= 1
            }
        case .open, .over: break
        }
    }

    package func failed(_ error: SecureSocketError) {
        switch self.move([.handshaking: .over, .gone: .over]) {
        case .handshaking:
            self.statistics.update { statistics in
                statistics.handshakesInProgress -= 1
                statistics.failed(error)
            }
        case .gone: self.statistics.update { $0.failed(error) }
        case .open, .over: break
        }
    }

    package func gone() {
        switch self.move([.handshaking: .gone, .open: .over]) {
        case .handshaking: self.statistics.update { $0.handshakesInProgress -= 1 }
        case .open: self.statistics.update { $0.openConnections -= 1 }
        case .gone, .over: break
        }
    }

    /// Returns the former state.
    private func move(_ transitions: [State: State]) -> State {
        self.state.withLock { state in
            defer { state = transitions[state] ?? state }
            return state
        }
    }
}
