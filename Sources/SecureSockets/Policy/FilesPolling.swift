import Logging
import NIOCore
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
    /// Loads contents that were read, unless they are worse than those in use. Blocks.
    func load(_ reading: Reading, replacing former: Snapshot?) throws(SecureSocketError) -> Snapshot
    /// Loads the part of contents that can be used, and replaces the rest by the former ones; nil if nothing new can be used. Blocks.
    func loadPartially(_ reading: Reading, with former: Snapshot?) -> Snapshot?
    static func digest(of reading: Reading) -> ContentDigest
    /// The digest of the reading that a snapshot was loaded from; nil if it is not known, or if only a part of it was.
    static func digest(of snapshot: Snapshot) -> ContentDigest?
    static func event(_ report: FileReport, snapshot: Snapshot?, error: (any Error)?) -> Event
}

/// Performs the decisions of a `FileFollower`: reads and loads the files, passes snapshots to the program, and reports events.
package struct FilesPolling<Files: WatchedFiles> {
    private let files: Files
    private var follower: FileFollower<ContentDigest>
    private var inUse: Files.Snapshot?

    package enum NextPoll: Equatable, Sendable {
        case soon
        case afterInterval

        /// The time until the poll. New content is read again after a second, which is longer than a program needs between two files that
        /// belong together.
        package func pause(every interval: Duration) -> Duration { self == .soon ? min(interval, .seconds(1)) : interval }
    }

    /// - Parameter snapshot: The snapshot in use; nil if there is none.
    package init(of files: Files, startingFrom snapshot: Files.Snapshot?) {
        self.files = files
        self.inUse = snapshot
        self.follower = FileFollower(inUse: snapshot.flatMap(Files.digest))
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
            let inUse = self.inUse
            let loaded = await BlockingWork.run { () -> Result<Files.Snapshot, SecureSocketError> in
                Result { () throws(SecureSocketError) in try files.load(reading, replacing: inUse) }
            }
            switch loaded {
            case nil: break
            case .failure(let error)?:
                if let failure = self.follower.failedToLoad() { report(Files.event(failure, snapshot: nil, error: error)) }
                if self.follower.offersPart { await self.offerPart(of: reading, to: update, report: report) }
            case .success(let snapshot)?: await self.offer(snapshot, to: update, report: report)
            }
        }
        return .afterInterval
    }

    /// Offers what can be used of contents that have failed to load.
    private mutating func offerPart(
        of reading: Files.Reading, to update: (Files.Snapshot) async throws -> Void, report: (Files.Event) -> Void
    ) async {
        let (files, inUse) = (self.files, self.inUse)
        guard let part = await BlockingWork.run({ files.loadPartially(reading, with: inUse) }), let part else { return }
        do {
            try await update(part)
        } catch {
            if !Task.isCancelled, let refusal = self.follower.refusedPartially() {
                report(Files.event(refusal, snapshot: part, error: error))
            }
            return
        }
        self.inUse = part
        report(Files.event(self.follower.acceptedPartially(), snapshot: part, error: nil))
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
        self.inUse = snapshot
        for event in self.follower.accepted() {
            report(Files.event(event, snapshot: event == .loaded ? snapshot : nil, error: nil))
        }
    }
}

/// What is reported about files that are followed.
protocol FilesEvent {
    var kind: TLSFiles.Event.Kind { get }
    /// What a log says about it, with the error if there is one. No content of files, except what is public in it.
    var logMetadata: Logger.Metadata { get }
}

extension WatchedFiles {
    package func load(_ reading: Reading, replacing former: Snapshot?) throws(SecureSocketError) -> Snapshot {
        try self.load(reading)
    }

    /// Loads the files once more, or what can be used of them with the rest of a former snapshot. Blocks.
    func loadOnce(replacing former: Snapshot) throws(SecureSocketError) -> Snapshot {
        let reading = self.read()
        do throws(SecureSocketError) {
            return try self.load(reading, replacing: former)
        } catch {
            guard let snapshot = self.loadPartially(reading, with: former) else { throw error }
            return snapshot
        }
    }

    /// The number of readings after which files that change all the time are loaded nevertheless.
    private static var mostReadings: Int { 5 }

    /// Reads the files until two readings in succession are the same, and loads the last one, or the part of it that can be used. Blocks.
    func loadOnce() throws(SecureSocketError) -> Snapshot {
        var reading = self.read()
        for _ in 1..<Self.mostReadings {
            let last = Self.digest(of: reading)
            reading = self.read()
            if Self.digest(of: reading) == last { break }
        }
        do throws(SecureSocketError) {
            return try self.load(reading)
        } catch {
            guard let snapshot = self.loadPartially(reading, with: nil) else { throw error }
            return snapshot
        }
    }
}

extension WatchedFiles where Event: FilesEvent {
    /// Passes the content to `update` whenever it changes, until the task is cancelled.
    func followChanges(
        every interval: Duration,
        startingFrom snapshot: Snapshot?,
        on clock: any Clock<Duration>,
        _ reporter: FilesReporter,
        report: (Event) -> Void,
        _ update: (Snapshot) async throws -> Void
    ) async throws(SecureSocketError) {
        guard interval >= .milliseconds(100) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring,
                "the interval between polls is \(interval); it must be at least 100 ms")
        }
        var polling = FilesPolling(of: self, startingFrom: snapshot)
        var reporter = reporter
        while !Task.isCancelled {
            let next = await polling.poll(update) { event in
                reporter.report(event.kind, event.logMetadata, at: .now())
                report(event)
            }
            reporter.remind(at: .now())
            guard (try? await clock.sleep(for: next.pause(every: interval))) != nil else { return }
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
            case .partiallyLoaded: .partiallyLoaded
            case .recovered: .recovered
            }
    }
}
