import DequeModule

/// Which of a host's addresses to try, and when, according to Happy Eyeballs (RFC 8305).
///
/// The addresses of both families are looked up concurrently. IPv6 is preferred, but its look-up delays the first attempt only briefly;
/// after that the families alternate. The next address is tried when the previous one has failed or has not connected for a while. The
/// first connection is used.
///
/// Events arrive as method calls and actions are returned as values. The caller (`HostConnector`) keeps the time, and stops when an attempt
/// has connected.
package struct HappyEyeballs<Address> {
    package typealias Family = IPFamily

    package enum Action {
        case none
        /// Call `resolutionDelayPassed` after `HappyEyeballsTiming.resolutionDelay`.
        case waitForPreferredFamily
        /// Try this address, and call `attemptDelayPassed` after `HappyEyeballsTiming.attemptDelay`.
        case attempt(Address)
        /// All attempts have failed.
        case exhausted
    }

    private var unresolved: Set<Family>
    private var addresses: [Family: Deque<Address>] = [:]
    private var hasBegun = false
    private var isDelaying = false
    private var running = 0
    /// Whether the next address was due and there was none.
    private var isOverdue = false
    private var lastFamily = Family.v4

    /// - Parameter families: The families that are being looked up.
    package init(families: Set<Family>) {
        self.unresolved = families
    }

    /// Records the result of a look-up: no addresses if it failed.
    package mutating func resolved(_ family: Family, _ addresses: some Sequence<Address>) -> Action {
        guard self.unresolved.remove(family) != nil else { return .none }
        self.addresses[family] = Deque(addresses)
        if self.hasBegun { return self.running == 0 || self.isOverdue ? self.attemptNext() : .none }
        guard self.hasAddresses else { return self.unresolved.isEmpty ? .exhausted : .none }
        if family == .v4, self.unresolved.contains(.v6) {
            self.isDelaying = true
            return .waitForPreferredFamily
        }
        return self.begin()
    }

    package mutating func resolutionDelayPassed() -> Action {
        self.isDelaying && !self.hasBegun ? self.begin() : .none
    }

    package mutating func attemptFailed() -> Action {
        self.running -= 1
        return self.attemptNext()
    }

    package mutating func attemptDelayPassed() -> Action {
        self.isOverdue = !self.hasAddresses
        return self.hasAddresses ? self.attemptNext() : .none
    }

    private var hasAddresses: Bool { self.addresses.values.contains { !$0.isEmpty } }

    private mutating func begin() -> Action {
        self.hasBegun = true
        return self.attemptNext()
    }

    private mutating func attemptNext() -> Action {
        let other: Family = self.lastFamily == .v4 ? .v6 : .v4
        for family in [other, self.lastFamily] {
            guard let address = self.addresses[family]?.popFirst() else { continue }
            self.lastFamily = family
            self.running += 1
            self.isOverdue = false
            return .attempt(address)
        }
        return self.running == 0 && self.unresolved.isEmpty ? .exhausted : .none
    }
}

extension HappyEyeballs.Action: Equatable where Address: Equatable {}

/// The delays that RFC 8305 recommends (§8), in milliseconds.
package enum HappyEyeballsTiming {
    /// How long to wait for the preferred family once the other is known (§3).
    package static let resolutionDelay: Int64 = 50
    /// How long to wait for an attempt before the next begins in parallel (§5).
    package static let attemptDelay: Int64 = 250
}
