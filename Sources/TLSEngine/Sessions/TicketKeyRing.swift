import Synchronization

/// The keys that protect a server's session tickets. One seals; all of them open. Servers with the same keys resume each other's sessions,
/// as far as their configurations accept the same peers.
///
/// The keys of a ring have one of three origins. Times are those of the key.
///
///     origin        sealing key                                         opening keys
///     generated     the newest; after `rotation` a new one is made      the newest `mostKeys`, until `lifetime` after they have sealed
///     derived ¹     that of the present epoch and the first secret      those of the next epoch, the present one and the last four
///     given ²       of those that may seal, the one that began last     all, until each one's end
///
/// ¹ From secrets that the servers have in common and the number of the epoch, which is as long as `rotation`. The keys are known before
///   they seal, so that clocks may differ by an epoch.
/// ² By a source that gives several servers the same keys. A key that is to seal later opens already, because other servers' clocks may be
///   ahead. If none may seal at present, no tickets are issued.
package final class TicketKeyRing: Sendable {
    /// The time for which a generated or derived key seals, in seconds.
    package static let rotation: UInt64 = 12 * 3600
    /// The longest time for which a session can be resumed, in seconds (RFC 8446 §4.6.1 permits a week).
    package static let lifetime: UInt64 = 48 * 3600
    /// The largest number of generated keys. Rotation by time needs six. Beyond it, the oldest key is removed.
    package static let mostKeys = 8
    /// The largest number of secrets.
    package static let mostSecrets = 4
    /// The largest number of given keys.
    package static let mostGivenKeys = 32
    /// The largest number of removed keys whose identifiers are kept, to name the reason for which their tickets are declined.
    fileprivate static let mostFormerKeys = 16
    /// The numbers of the epochs whose derived keys open tickets, relative to the present one. Those of the past are as long as `lifetime`.
    fileprivate static let derivedEpochs = -4...1

    fileprivate enum Origin {
        case generated
        /// `epoch` is the one for which the keys were derived.
        case derived(secrets: [TicketSecret], epoch: UInt64?)
        case given
    }

    fileprivate struct FormerKey {
        let id: UInt64
        /// `retiredKey` or `forgotten`.
        let reason: ReasonForFullHandshake
    }

    fileprivate struct State {
        var origin = Origin.generated
        /// Generated keys are in order of their age, newest first; of derived and given ones, the first that may seal precedes others that
        /// began at the same time.
        var keys: [TicketKey] = []
        /// The latest keys that were removed, oldest first; at most `mostFormerKeys`.
        var formerKeys: [FormerKey] = []
        /// The time of the last removal, in seconds since 1970. Tickets issued until then are not opened.
        var removal: UInt64 = 0
    }

    private let state: Mutex<State>
    private let removals = Atomic<Int>(0)
    /// What makes tickets usable once; nil if they can be used until they expire.
    package let singleUse: (any SingleUseTicketStore)?

    /// Creates a ring of generated keys.
    package init(singleUse: (any SingleUseTicketStore)? = nil) {
        self.state = Mutex(State())
        self.singleUse = singleUse
    }

    /// Creates a ring of derived keys.
    ///
    /// - Parameter secrets: The secrets, 1 to `mostSecrets`. The keys of the first one seal.
    package init(derivedFrom secrets: [TicketSecret], singleUse: (any SingleUseTicketStore)? = nil) {
        self.state = Mutex(State(origin: .derived(secrets: secrets, epoch: nil)))
        self.singleUse = singleUse
    }

    /// Replaces the secrets of a ring of derived keys. Returns false if its keys have another origin.
    package func replaceSecrets(with secrets: [TicketSecret]) -> Bool {
        self.state.withLock { state in
            guard case .derived = state.origin else { return false }
            state.origin = .derived(secrets: secrets, epoch: nil)
            return true
        }
    }

    /// Replaces all keys by given ones. Those that are no longer among them do not open their tickets any more. If none of the
    /// former given keys is among them, all sessions are forgotten.
    ///
    /// - Parameter keys: At most `mostGivenKeys`, with different identifiers. Further ones are ignored.
    package func replaceKeys(with keys: [GivenTicketKey]) {
        let keys = keys.prefix(Self.mostGivenKeys)
        let forgetsAll = self.state.withLock { state in
            let wasGiven = if case .given = state.origin { true } else { false }
            state.origin = .given
            let ids = Set(keys.map(\.id))
            let forgetsAll = wasGiven && !state.keys.isEmpty && !state.keys.contains { ids.contains($0.id) }
            state.keep(otherwise: forgetsAll ? .forgotten : .retiredKey) { ids.contains($0.id) }
            state.keys = keys.compactMap { TicketKey($0) }
            return forgetsAll
        }
        // As for `removeAll`: no ticket is opened any more, so sessions without tickets are not to be resumed either.
        if forgetsAll { self.removals.wrappingAdd(1, ordering: .sequentiallyConsistent) }
    }

    /// Makes a new key the one that seals. Tickets of the former keys remain valid.
    ///
    /// - Parameter now: Seconds since 1970.
    /// - Returns: false if the random generator or memory failed, or if keys are not generated. The keys are unchanged then.
    @discardableResult
    package func rotate(now: UInt64) -> Bool {
        guard let key = TicketKey(created: now) else { return false }
        return self.state.withLock { state in
            guard case .generated = state.origin else { return false }
            state.prepend(key)
            return true
        }
    }

    /// Makes all tickets sealed so far worthless: removes generated keys; others do not open what was issued until now. Listeners also
    /// forget the sessions that they keep for clients without tickets (`LiveServerContext.current`).
    ///
    /// - Parameter now: Seconds since 1970.
    package func removeAll(now: UInt64) {
        self.state.withLock { state in
            switch state.origin {
            case .generated: state.keep(otherwise: .forgotten) { _ in false }
            case .derived, .given: state.removal = max(state.removal, now)
            }
        }
        self.removals.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    /// The number of calls of `removeAll`.
    var removalCount: Int { self.removals.load(ordering: .sequentiallyConsistent) }

    package var count: Int { self.state.withLock { $0.keys.count } }

    /// What a program may know of a key.
    package struct KeyInformation: Sendable {
        package let id: UInt64
        package let times: TicketKeyTimes
    }

    /// The keys that open tickets now. The one that seals is first, if there is one.
    package func information(now: UInt64) -> [KeyInformation] {
        self.state.withLock { state in
            state.deriveKeys(now: now)
            let sealing = state.sealingKey(now: now)
            let others = state.keys.filter { $0 !== sealing && now <= $0.times.opensUntil }
            return ([sealing].compactMap(\.self) + others).map { KeyInformation(id: $0.id, times: $0.times) }
        }
    }

    /// Returns the key that seals, after a rotation if one is due; nil if there is none.
    func sealingKey(now: UInt64) -> TicketKey? {
        self.state.withLock { state in
            state.deriveKeys(now: now)
            if let key = state.sealingKey(now: now) { return key }
            guard case .generated = state.origin, let key = TicketKey(created: now) else { return nil }
            state.keep { $0.times.opensUntil >= now }
            state.prepend(key)
            return key
        }
    }

    /// Returns the key with this identifier if it still opens tickets that were issued at a time, or the reason for which there is none:
    /// `forgotten`, `retiredKey` or `unknownKey`.
    func openingKey(_ id: UInt64, issued: UInt64, now: UInt64) -> Result<TicketKey, NoTicketKey> {
        self.state.withLock { state in
            guard issued > state.removal || state.removal == 0 else { return .failure(NoTicketKey(.forgotten)) }
            state.deriveKeys(now: now)
            guard let key = state.keys.first(where: { $0.id == id }) else {
                return .failure(NoTicketKey(state.reasonForAbsence(of: id, issued: issued, now: now)))
            }
            return now <= key.times.opensUntil ? .success(key) : .failure(NoTicketKey(.retiredKey))
        }
    }
}

/// The reason for which a ring has no key for a ticket.
struct NoTicketKey: Error {
    let reason: ReasonForFullHandshake

    init(_ reason: ReasonForFullHandshake) { self.reason = reason }
}

extension TicketKeyRing.State {
    fileprivate func sealingKey(now: UInt64) -> TicketKey? {
        switch self.origin {
        // A clock that was set back makes no key too old.
        case .generated: self.keys.first.flatMap { now < $0.times.sealsUntil ? $0 : nil }
        case .derived: self.keys.first
        case .given:
            self.keys.reduce(nil) { best, key in
                guard key.times.sealsFrom <= now, now < key.times.sealsUntil else { return best }
                return best.map { $0.times.sealsFrom >= key.times.sealsFrom ? $0 : key } ?? key
            }
        }
    }

    /// Makes a key the one that seals. The oldest is removed if there are too many.
    fileprivate mutating func prepend(_ key: TicketKey) {
        self.keys.insert(key, at: 0)
        let oldest = self.keys.count > TicketKeyRing.mostKeys ? self.keys.last?.id : nil
        self.keep { $0.id != oldest }
    }

    /// Removes the keys that do not satisfy a condition.
    fileprivate mutating func keep(otherwise reason: ReasonForFullHandshake = .retiredKey, where condition: (TicketKey) -> Bool) {
        let removed = self.keys.filter { !condition($0) }
        self.keys.removeAll { !condition($0) }
        self.formerKeys += removed.map { TicketKeyRing.FormerKey(id: $0.id, reason: reason) }
        self.formerKeys.removeFirst(max(self.formerKeys.count - TicketKeyRing.mostFormerKeys, 0))
    }

    /// - Parameter issued: The time in the ticket, which is not authenticated without its key.
    fileprivate func reasonForAbsence(of id: UInt64, issued: UInt64, now: UInt64) -> ReasonForFullHandshake {
        if let former = self.formerKeys.last(where: { $0.id == id }) { return former.reason }
        return now - min(issued, now) > TicketKeyRing.rotation + TicketKeyRing.lifetime ? .retiredKey : .unknownKey
    }

    /// Derives the keys of the present epoch, once in each: at most 24, however many tickets are presented. Does nothing if keys have
    /// another origin.
    fileprivate mutating func deriveKeys(now: UInt64) {
        let present = now / TicketKeyRing.rotation
        guard case .derived(let secrets, let epoch) = self.origin, epoch != present else { return }
        self.origin = .derived(secrets: secrets, epoch: present)
        let others = TicketKeyRing.derivedEpochs.filter { $0 != 0 }
        self.keys = secrets.flatMap { secret in
            ([0] + others).compactMap { offset -> TicketKey? in
                let (number, overflow) = present.addingReportingOverflow(UInt64(bitPattern: Int64(offset)))
                // Before 1970 there are no epochs. A negative offset overflows unless it goes that far.
                return overflow == (offset < 0) ? secret.key(ofEpoch: number) : nil
            }
        }
    }
}

extension TicketKeyRing: CustomStringConvertible, CustomReflectable {
    /// The number of keys. The keys themselves are never part of a description.
    package var description: String { "\(self.count) ticket keys" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
