/// The delays before attempts to connect: exponential, with full jitter, so that many clients do not return to a restarted server at the
/// same time.
///
/// Each delay is chosen from zero to a ceiling, which begins at `minimum` and doubles with each failure up to `maximum`.
struct Backoff: Sendable {
    let minimum: Duration
    let maximum: Duration
    private var ceiling: Duration

    init(minimum: Duration, maximum: Duration) {
        self.minimum = minimum
        self.maximum = maximum
        self.ceiling = minimum
    }

    /// Returns the delay after a failure.
    ///
    /// - Parameter jitter: A random number from 0 to 1.
    mutating func next(jitter: Double) -> Duration {
        let delay = self.ceiling * jitter
        self.ceiling = min(self.ceiling * 2, self.maximum)
        return delay
    }

    /// Begins again with the minimum.
    mutating func reset() { self.ceiling = self.minimum }
}
