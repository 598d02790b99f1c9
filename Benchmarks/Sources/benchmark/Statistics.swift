extension [Double] {
    var median: Double {
        guard !self.isEmpty else { return 0 }
        let sorted = self.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    /// The smallest of these sorted numbers that no more than the rest exceed.
    func percentile(_ percent: Double) -> Double {
        guard !self.isEmpty else { return 0 }
        let rank = Int((percent / 100 * Double(self.count)).rounded(.up))
        return self[Swift.min(Swift.max(rank, 1), self.count) - 1]
    }
}

extension Duration {
    var inSeconds: Double { self / .seconds(1) }
    var inMicroseconds: Double { self / .microseconds(1) }
}
