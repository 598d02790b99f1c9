/// What a client's cache remembers of sessions that it does not have, to name the reason for a full handshake. It decides nothing else.
///
/// The state of a key, while the cache has no session under it:
///
///     event ↓                   state →   unknown      usedUp       expired      notIssued
///     a session is stored                 forgotten until the last session under the key is removed
///     the last one is taken               usedUp       usedUp       usedUp       usedUp
///     the last one has expired            expired      expired      expired      expired
///     a full handshake is complete        notIssued    usedUp       expired      notIssued
///     that connection ends, no ticket     notIssued    notIssued    notIssued    notIssued
///     the bound displaces the last one    unknown
///
/// Of an unknown key, the sessions under other keys say more: `differentPolicy` if there are some for the same server and names,
/// `differentName` if there are some for the same server, and otherwise `noSession`.
///
/// Keys are identified by their hash values. If two have the same one, a reason may be wrong, and nothing else.
struct SessionNotes {
    private enum Note {
        case usedUp, expired, notIssued

        var reason: ReasonForFullHandshake {
            switch self {
            case .usedUp: .usedUp
            case .expired: .expired
            case .notIssued: .notIssued
            }
        }
    }

    /// The largest number of notes in each of the two generations. When the present one is full, it becomes the former one.
    private let capacity: Int
    private var present: [Int: Note] = [:]
    private var former: [Int: Note] = [:]
    /// The number of sessions for each server, and for each server with the same names. As many as there are sessions, at most.
    private var counts: [Int: Int] = [:]

    init(capacity: Int) { self.capacity = max(capacity / 2, 1) }

    /// The number of notes. For tests.
    var count: Int { self.present.count + self.former.count }

    private func note(of key: SessionCache.Key) -> Note? { self.present[key.hash] ?? self.former[key.hash] }

    private mutating func set(_ note: Note, for key: SessionCache.Key) {
        if self.present.count >= self.capacity, self.present[key.hash] == nil {
            self.former = self.present
            self.present = [:]
        }
        self.present[key.hash] = note
    }

    private mutating func count(_ key: SessionCache.Key, by difference: Int) {
        for hash in [key.hashOfNames, key.hashOfServer] {
            let count = self.counts[hash, default: 0] + difference
            self.counts[hash] = count > 0 ? count : nil
        }
    }

    func reason(for key: SessionCache.Key) -> ReasonForFullHandshake {
        if let note = self.note(of: key) { return note.reason }
        if self.counts.isEmpty { return .noSession }
        if self.counts[key.hashOfNames] != nil { return .differentPolicy }
        return self.counts[key.hashOfServer] == nil ? .noSession : .differentName
    }

    // MARK: Events

    mutating func stored(_ key: SessionCache.Key) {
        self.count(key, by: 1)
        self.present[key.hash] = nil
        self.former[key.hash] = nil
    }

    /// - Parameter isLast: Whether there is no other session under the key.
    mutating func taken(_ key: SessionCache.Key, isLast: Bool) {
        self.count(key, by: -1)
        if isLast { self.set(.usedUp, for: key) }
    }

    mutating func expired(_ key: SessionCache.Key, isLast: Bool) {
        self.count(key, by: -1)
        if isLast { self.set(.expired, for: key) }
    }

    mutating func dropped(_ key: SessionCache.Key) { self.count(key, by: -1) }

    mutating func completed(_ key: SessionCache.Key) {
        if self.note(of: key) == nil { self.set(.notIssued, for: key) }
    }

    mutating func endedWithoutTicket(_ key: SessionCache.Key) { self.set(.notIssued, for: key) }

    /// All sessions were taken, under these keys.
    mutating func takenAll(_ keys: some Sequence<SessionCache.Key>) {
        self.counts = [:]
        for key in keys { self.set(.usedUp, for: key) }
    }

    mutating func removeAll() { self = SessionNotes(capacity: 2 * self.capacity) }
}
