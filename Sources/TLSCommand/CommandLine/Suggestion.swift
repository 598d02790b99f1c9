/// Suggestions for mistyped words.
enum Suggestion {
    /// Returns the nearest candidate, if it is near enough. Case and leading hyphens are ignored.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let word = Self.letters(word)
        // No name is longer, and computing the distance takes quadratic time.
        guard !word.isEmpty, word.count <= 64 else { return nil }
        // An abbreviation counts if it is a prefix of one name only.
        let continued = word.count >= 2 ? candidates.filter { Self.letters($0).starts(with: word) } : []
        if let only = continued.first, continued.count == 1 { return only }
        let limit = word.count < 5 ? 1 : word.count < 9 ? 2 : 3
        return candidates.map { (name: $0, distance: Self.distance(word, Self.letters($0))) }
            .filter { $0.distance <= limit }
            .min { $0.distance < $1.distance }?.name
    }

    private static func letters(_ name: String) -> [Character] { Array(name.lowercased().drop { $0 == "-" }) }

    /// Returns the number of letters to insert, remove, replace or exchange with their neighbours to turn one word into the other.
    private static func distance(_ first: [Character], _ second: [Character]) -> Int {
        // Distances between prefixes: `rows[i][j]` is that of the first `i` and the first `j` letters.
        var rows = (0...first.count).map { i in (0...second.count).map { j in i == 0 ? j : j == 0 ? i : 0 } }
        for i in first.indices {
            for j in second.indices {
                let replaced = rows[i][j] + (first[i] == second[j] ? 0 : 1)
                var least = min(replaced, rows[i][j + 1] + 1, rows[i + 1][j] + 1)
                if i > 0, j > 0, first[i] == second[j - 1], first[i - 1] == second[j] {
                    least = min(least, rows[i - 1][j - 1] + 1)
                }
                rows[i + 1][j + 1] = least
            }
        }
        return rows[first.count][second.count]
    }
}
