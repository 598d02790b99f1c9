import TestSupport

/// The verdicts of the installed peers on all chains, in the order of the cases; asked for once a process.
actor PeerVerdicts {
    static let shared = PeerVerdicts()

    private var task: Task<[Peer: [Peer.Verdict]], any Error>?

    func get() async throws -> [Peer: [Peer.Verdict]] {
        let task = self.task ?? Task { try await Self.ask() }
        self.task = task
        return try await task.value
    }

    private static func ask() async throws -> [Peer: [Peer.Verdict]] {
        let files = try ChainFiles()
        return try await withThrowingTaskGroup(of: (Peer, [Peer.Verdict]).self) { group in
            for peer in Peer.allCases where peer.version != nil {
                group.addTask { (peer, try await onThread { try peer.verdicts(on: files) }) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
}
