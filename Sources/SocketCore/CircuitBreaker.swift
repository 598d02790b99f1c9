package import NIOCore

/// Decides whether a service that may be failing is asked. After some failures in succession it is left alone for a pause; then a single
/// request finds out whether it has recovered.
///
///     event ↓      state →    closed (failures)                 open (until)                        probing
///     admits(at:)             yes                               no; from `until` on: yes, probing   no
///     succeeded               closed (0)                        -                                   closed (0)
///     failed                  closed (failures + 1), or         -                                   open, with twice the last pause
///                             open at `mostFailures`
///
/// The outcomes of requests that were admitted before it opened change nothing while it is open. Each pause is a random part, at least half,
/// of a length that doubles up to `longestPause`, so that many clients of one service do not return at the same time.
package struct CircuitBreaker: Sendable {
    package enum State: Sendable, Equatable {
        case closed(failures: Int)
        case open(until: NIODeadline)
        case probing
    }

    package static let mostFailures = 5
    package static let shortestPause = TimeAmount.milliseconds(200)
    package static let longestPause = TimeAmount.seconds(10)

    package private(set) var state = State.closed(failures: 0)
    private var pause = shortestPause

    package init() {}

    /// Returns whether a request may be made. Its outcome is to be reported.
    package mutating func admits(at now: NIODeadline) -> Bool {
        switch self.state {
        case .closed: return true
        case .open(let until) where now >= until:
            self.state = .probing
            return true
        case .open, .probing: return false
        }
    }

    /// Whether the service is left alone, but for a request that finds out whether it has recovered.
    package var isOpen: Bool {
        switch self.state {
        case .closed: false
        case .open, .probing: true
        }
    }

    package mutating func succeeded() {
        switch self.state {
        case .closed, .probing:
            self.state = .closed(failures: 0)
            self.pause = Self.shortestPause
        case .open: break
        }
    }

    /// - Parameter random: A random number from 0 to 1.
    package mutating func failed(at now: NIODeadline, random: Double = .random(in: 0...1)) {
        switch self.state {
        case .closed(let failures) where failures + 1 < Self.mostFailures: self.state = .closed(failures: failures + 1)
        case .closed, .probing:
            let length = Double(self.pause.nanoseconds) * (0.5 + 0.5 * min(max(random, 0), 1))
            self.state = .open(until: now + .nanoseconds(Int64(length)))
            self.pause = min(self.pause * 2, Self.longestPause)
        case .open: break
        }
    }
}
