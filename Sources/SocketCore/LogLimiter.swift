package import NIOCore

/// Limits how many similar events are logged, and counts the others. Otherwise a crowd of failing clients could fill the disk.
package struct LogLimiter: Sendable {
    package enum Decision: Equatable, Sendable {
        /// Log the event, with the number of preceding events that were not logged.
        case log(suppressed: Int)
        case suppress
    }

    /// The number of events that are logged in each period.
    private static let most = 10
    private static let period = TimeAmount.seconds(10)

    private var periodEnd = NIODeadline.uptimeNanoseconds(0)
    private var logged = 0
    private var suppressed = 0

    package init() {}

    package mutating func decide(at now: NIODeadline) -> Decision {
        if now >= self.periodEnd {
            self.periodEnd = now + Self.period
            self.logged = 0
        }
        guard self.logged < Self.most else {
            self.suppressed += 1
            return .suppress
        }
        self.logged += 1
        defer { self.suppressed = 0 }
        return .log(suppressed: self.suppressed)
    }
}
