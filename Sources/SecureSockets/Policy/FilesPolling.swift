package import SocketCore
package import TLSEngine

/// Files whose content a program uses and may be replaced while it runs.
package protocol WatchedFiles: Sendable {
    /// The contents of all files at one time.
    associatedtype Reading: Sendable
    /// What was loaded from a reading.
    associatedtype Snapshot: Sendable
    associatedtype Event

    /// Reads all files. Blocks.
    func read() -> Reading
    /// Loads contents that were read. Blocks.
    func load(_ reading: Reading) throws(SecureSocketError) -> Snapshot
    static func digest(of reading: Reading) -> ContentDigest
    static func event(_ report: FileReport, snapshot: Snapshot?, error: (any Error)?) -> Event
}

/// Performs the decisions of a `FileFollower`: reads and loads the files, passes snapshots to the program, and reports events.
package struct FilesPolling<Files: WatchedFiles> {
    private let files: Files
    private var follower: FileFollower<ContentDigest>

    package enum NextPoll: Equatable, Sendable {
        case soon
        case afterInterval

        /// The time until the poll. New content is read again after a second, which is longer than a program needs between two files that
        /// belong together.
        package func pause(every interval: Duration) -> Duration { self == .soon ? min(interval, .seconds(1)) : interval }
    }

    /// - Parameter digest: The digest of the content in use; nil if there is none.
    package init(of files: Files, startingFrom digest: ContentDigest?) {
        self.files = files
        self.follower = FileFollower(inUse: digest)
    }

    /// Reads the files once and does what follows from their content. Returns early if the task is cancelled.
    package mutating func poll(
        _ update: (Files.Snapshot) async throws -> Void, report: (Files.Event) -> Void
    ) async -> NextPoll {
        let files = self.files
        guard let reading = await BlockingWork.run({ files.read() }) else { return .afterInterval }
        switch self.follower.found(Files.digest(of: reading)) {
        case .nothing: break
        case .recovered: report(Files.event(.recovered, snapshot: nil, error: nil))
        case .readAgain: return .soon
        case .load:
            let loaded = await BlockingWork.run { () -> Result<Files.Snapshot, SecureSocketError> in
                Result { () throws(SecureSocketError) in try files.load(reading) }
            }
            switch loaded {
            case nil: break
            case .failure(let error)?:
                if let failure = self.follower.failedToLoad() {
                    report(Files.event(failure, snapshot: nil, error: error))
                }
            case .success(let snapshot)?: await self.offer(snapshot, to: update, report: report)
            }
        }
        return .afterInterval
    }

    private mutating func offer(
        _ snapshot: Files.Snapshot, to update: (Files.Snapshot) async throws -> Void, report: (Files.Event) -> Void
    ) async {
        do {
            try await update(snapshot)
        } catch {
            // The task is ending, which may be the reason for the error.
            if Task.isCancelled { return }
            if let refusal = self.follower.refused() {
                report(Files.event(refusal, snapshot: snapshot, error: error))
            }
            return
        }
        for event in self.follower.accepted() {
            report(Files.event(event, snapshot: event == .loaded ? snapshot : nil, error: nil))
        }
    }
}

extension TLSFiles.Event.Kind {
    init(_ report: FileReport) {
        self =
            switch report {
            case .loaded: .loaded
            case .refused: .updateFailed
            case .retrying: .retrying
            case .failed: .failed
            case .recovered: .recovered
            }
    }
}
