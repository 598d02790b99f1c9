internal import CNIOBoringSSL

extension TLSSettings {
    /// Whether a client's hello has a key share of ML-KEM, and can do without. BoringSSL sends one for the first group of each kind,
    /// one that resists quantum computers and one of elliptic curves.
    package var canOmitMLKEM: Bool {
        self.versions.contains(.v1_3) && self.groups.contains(.x25519MLKEM768) && !self.groupsWithoutMLKEM.isEmpty
    }

    fileprivate var groupsWithoutMLKEM: [TLSGroup] { self.groups.filter { $0 != .x25519MLKEM768 } }
}

extension TLSEngine {
    /// Removes the ML-KEM groups from a client's offer in this connection. Call it before the handshake begins.
    package func omitMLKEM() throws(TLSFailure) {
        let groups = self.context.settings.groupsWithoutMLKEM
        let numbers = groups.map(\.rawValue)
        ErrorQueue.clear()
        guard !numbers.isEmpty, SSL_set1_group_ids(self.ssl, numbers, numbers.count) == 1 else {
            throw TLSFailure(.setup, reason: ErrorQueue.drain().first)
        }
        self.groups = groups
    }

    /// Whether ML-KEM groups were removed from the offer.
    package var omitsMLKEM: Bool { self.groups != nil }
}
