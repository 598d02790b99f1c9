package import SocketCore
package import TLSEngine

extension TLSFiles: WatchedFiles {
    package static func digest(of reading: Reading) -> ContentDigest { reading.digest }

    package static func digest(of snapshot: Snapshot) -> ContentDigest? { snapshot.problems.isEmpty ? snapshot.digest : nil }

    package static func event(_ report: FileReport, snapshot: Snapshot?, error: (any Error)?) -> Event {
        Event(Event.Kind(report), snapshot: snapshot, error: error)
    }

    /// The contents of all files at one time.
    package struct Reading: Sendable {
        fileprivate let identities: [IdentityFiles.Reading]
        fileprivate let trust: TrustFiles.Reading
        let digest: ContentDigest

        fileprivate init(identities: [IdentityFiles.Reading], trust: TrustFiles.Reading) {
            self.identities = identities
            self.trust = trust
            self.digest = ContentDigest(of: identities.flatMap(\.files) + trust.files)
        }
    }

    /// Reads all files. Blocks.
    package func read() -> Reading {
        Reading(identities: self.identities.map { $0.read() }, trust: self.trust.read())
    }

    /// Loads contents that were read.
    package func load(_ reading: Reading) throws(SecureSocketError) -> Snapshot {
        var identities: [LoadedIdentity] = []
        for identity in reading.identities { identities.append(try identity.load(allowing: self.legacy)) }
        return try Snapshot(identities, reading.trust.load(), problems: [], digest: reading.digest)
    }

    package func load(_ reading: Reading, replacing former: Snapshot?) throws(SecureSocketError) -> Snapshot {
        let snapshot = try self.load(reading)
        if let former, former.loaded.count == snapshot.loaded.count {
            for (new, old) in zip(snapshot.loaded, former.loaded) {
                if let problem = new.problem(replacing: old) { throw problem }
            }
        }
        return snapshot
    }

    package func loadPartially(_ reading: Reading, with former: Snapshot?) -> Snapshot? {
        // A former snapshot may be of other files.
        let former = former.flatMap { $0.loaded.count == reading.identities.count ? $0 : nil }
        var problems: [SecureSocketError] = []
        do throws(SecureSocketError) {
            var identities: [LoadedIdentity] = []
            for (index, identity) in reading.identities.enumerated() {
                identities.append(
                    try identity.load(allowing: self.legacy, orKeeping: former?.loaded[index], &problems))
            }
            let trust = try reading.trust.load(orKeeping: former?.trust, &problems)
            let snapshot = try Snapshot(identities, trust, problems: problems, digest: reading.digest)
            if let former, snapshot.isSame(as: former) { return nil }
            return snapshot
        } catch {
            return nil
        }
    }
}
