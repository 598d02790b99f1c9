extension Duration {
    /// The duration in one unit, rounded to three digits: `2 seconds`, `1.5 seconds`, `20 ms`.
    package var roundedText: String {
        let (wholeSeconds, attoseconds) = self.components
        let seconds = Double(wholeSeconds) + Double(attoseconds) / 1e18
        let (value, unit) = Self.inUnit(seconds)
        // Without a fraction if there are three digits before it.
        let text = value == value.rounded() ? "\(Int64(value))" : "\(value)"
        return text == "1" && unit.hasSuffix("s") && unit.count > 2 ? "1 \(unit.dropLast())" : "\(text) \(unit)"
    }

    private static func inUnit(_ seconds: Double) -> (Double, String) {
        // A value that rounds to the next unit is given in that one: 99.97 ms are 0.1 seconds.
        let units: [(factor: Double, limit: Double, name: String)] = [
            (1e-9, 1000, "ns"), (1e-6, 1000, "µs"), (1e-3, 100, "ms"), (1, 120, "seconds"), (60, 120, "minutes"),
            (3600, 48, "hours"),
        ]
        if seconds == 0 { return (0, "seconds") }
        for unit in units {
            let value = Self.roundedToThreeDigits(seconds / unit.factor)
            if abs(value) < unit.limit { return (value, unit.name) }
        }
        return (Self.roundedToThreeDigits(seconds / 86_400), "days")
    }

    private static func roundedToThreeDigits(_ value: Double) -> Double {
        let scale: Double = abs(value) >= 100 ? 1 : abs(value) >= 10 ? 10 : 100
        return (value * scale).rounded() / scale
    }
}

extension DefaultStringInterpolation {
    /// Durations in messages are rounded, because every interpolation of one in this module is for a reader.
    mutating func appendInterpolation(_ duration: Duration) {
        self.appendLiteral(duration.roundedText)
    }
}
