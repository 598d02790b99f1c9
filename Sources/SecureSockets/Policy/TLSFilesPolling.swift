import SocketCore
import TLSEngine

/// Performs the decisions of a `FileFollower`: reads and loads the files, passes snapshots to the program, and reports events.
package struct TLSFilesPolling {
    private let files: TLSFiles
    private var follower: FileFollower<ContentDigest>

    package enum NextPoll: Equatable, Sendable {
        case soon
        case afterInterval
    }

    package init(of files: TLSFiles, startingFrom snapshot: TLSFiles.Snapshot?) {
        self.files = files
        self.follower = FileFollower(inUse: snapshot?.digest)
    }

    /// Reads the files once and does what follows from their content. Returns early if the task is cancelled.
    package mutating func poll(
        _ update: (TLSFiles.Snapshot) async throws -> Void, report: (TLSFiles.Event) -> Void
    ) async -> NextPoll {
        let files = self.files
        guard let reading = await BlockingWork.run({ files.read() }) else { return .afterInterval }
        switch self.follower.found(reading.digest) {
        case .nothing: break
        case .recovered: report(TLSFiles.Event(.recovered))
        case .readAgain: return .soon
        case .load:
            let loaded = await BlockingWork.run { () -> Result<TLSFiles.Snapshot, SecureSocketError> in
                Result { () throws(SecureSocketError) in try files.load(reading) }
            }
            switch loaded {
            case nil: break
            case .failure(let error)?:
                if let event = self.follower.failedToLoad() { report(TLSFiles.Event(reporting: event, error: error)) }
            case .success(let snapshot)?: await self.offer(snapshot, to: update, report: report)
            }
        }
        return .afterInterval
    }

    private mutating func offer(
        _ snapshot: TLSFiles.Snapshot, to update: (TLSFiles.Snapshot) async throws -> Void,
        report: (TLSFiles.Event) -> Void
    ) async {
        do {
            try await update(snapshot)
        } catch {
            // The task is ending, which may be the reason for the error.
            if Task.isCancelled { return }
            if let event = self.follower.refused() { report(TLSFiles.Event(reporting: event, snapshot: snapshot, error: error)) }
            return
        }
        for event in self.follower.accepted() {
            report(TLSFiles.Event(reporting: event, snapshot: event == .loaded ? snapshot : nil))
        }
    }
}

extension TLSFiles.Event {
    fileprivate init(
        reporting report: FileFollower<ContentDigest>.Report, snapshot: TLSFiles.Snapshot? = nil, error: (any Error)? = nil
    ) {
        let kind: Kind =
            switch report {
            case .loaded: .loaded
            case .refused: .updateFailed
            case .retrying: .retrying
            case .failed: .failed
            case .recovered: .recovered
            }
        self.init(kind, snapshot: snapshot, error: error)
    }
}
