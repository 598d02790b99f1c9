public import Logging
package import SocketCore
package import TLSEngine

/// The files of trusted certificates and revocation lists, which may be replaced while the program runs: for clients without a certificate,
/// whose connections share a ``LiveClientConfiguration``. ``TLSFiles`` has those of a program with a certificate.
///
/// ```swift
/// let files = TLSTrustFiles("company-ca.pem", revocationLists: "crl")
/// let first = try files.load()
/// let live = LiveClientConfiguration(try TLSClientConfiguration(trust: first.trust))
/// // In a task that lives as long as the program:
/// try await files.follow(startingFrom: first) { renewed in
///     live.update(tls: try TLSClientConfiguration(trust: renewed.trust))
/// }
/// ```
///
/// The files are watched as ``TLSFiles`` are, with the same rules for changes and problems: revocation lists that cannot be used do not
/// prevent the use of new trusted certificates, and the reverse.
public struct TLSTrustFiles: Sendable {
    private let files: TrustFiles

    /// Creates the description of the files. No file is read until ``load()`` or ``follow(every:startingFrom:logger:report:_:)``.
    ///
    /// - Parameters:
    ///   - certificates: The path of the trusted certificates in PEM. A relative path is resolved against the working directory at the time
    ///     of each reading.
    ///   - revocationLists: The path of a file or a folder of certificate revocation lists, by which the trust refuses revoked certificates
    ///     of the whole chain, and those whose issuer has no list that is up to date. Default: nil; revocation is not checked.
    public init(_ certificates: String, revocationLists: String? = nil) {
        self.files = TrustFiles(certificates: certificates, revocationLists: revocationLists)
    }

    /// What the files contained at one time.
    public struct Snapshot: Sendable {
        /// The trusted certificates, with the check against the revocation lists.
        public let trust: TLSTrust
        /// The revocation lists; nil if no path was given for them.
        public var revocationLists: RevocationLists? { self.loaded.lists }
        /// The errors for contents that cannot be used, which former contents replace. Empty if all files were loaded.
        public let problems: [SecureSocketError]

        fileprivate let loaded: TrustFiles.Loaded
        fileprivate let digest: ContentDigest

        fileprivate init(
            _ loaded: TrustFiles.Loaded, problems: [SecureSocketError], digest: ContentDigest
        ) throws(SecureSocketError) {
            guard let trust = loaded.trust else {
                throw SecureSocketError(
                    .trustUnusable, blame: .configuration, step: .configuring, "there are no trusted certificates")
            }
            self.trust = trust
            self.problems = problems
            self.loaded = loaded
            self.digest = digest
        }
    }

    /// A change of the files, or a problem with them.
    public struct Event: Sendable, CustomStringConvertible {
        /// The kind of the event, as for ``TLSFiles``.
        public let kind: TLSFiles.Event.Kind
        /// The snapshot that is in use, or that `update` has refused; nil for other kinds.
        public let snapshot: Snapshot?
        /// The error of a problem: a ``SecureSocketError``, or what `update` has thrown. nil for other kinds.
        public let error: (any Error)?

        /// The kind, with the error if there is one.
        public var description: String { self.error.map { "\(self.kind): \($0)" } ?? "\(self.kind)" }
    }

    /// Loads the files once. Blocks while they are read, so call it when the program starts, or outside event loops.
    ///
    /// - Throws: ``SecureSocketError`` that names the file at fault, with the code `trustUnusable`, or `tooManyOpenFiles`.
    public func load() throws(SecureSocketError) -> Snapshot { try self.loadOnce() }

    /// Loads the files again whenever they change, until the task is **cancelled**, as
    /// ``TLSFiles/follow(every:startingFrom:logger:report:_:)`` does.
    ///
    /// - Parameters:
    ///   - interval: The time between two polls, at least 100 milliseconds. Default: 10 seconds.
    ///   - snapshot: The snapshot in use, as loaded by ``load()``. Default: nil; the files' current content is passed to `update` first.
    ///   - logger: The logger, with at most ten lines of a kind in ten seconds.
    ///   - report: A function that is called with each event, in the function's task.
    ///   - update: The function that puts a snapshot into use.
    /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if the interval is shorter than 100 milliseconds.
    public func follow(
        every interval: Duration = .seconds(10),
        startingFrom snapshot: Snapshot? = nil,
        logger: Logger = Logger(label: "SecureSockets"),
        report: (Event) -> Void = { _ in },
        _ update: (Snapshot) async throws -> Void
    ) async throws(SecureSocketError) {
        try await self.followChanges(
            every: interval, startingFrom: snapshot, on: ContinuousClock(),
            FilesReporter(logger, about: "trusted certificate", at: self.description), report: report, update)
    }
}

extension TLSTrustFiles.Event: FilesEvent {
    var logMetadata: Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        let errors = self.error.map { ["\($0)"] } ?? self.snapshot?.problems.map(\.description) ?? []
        if !errors.isEmpty { metadata["error"] = "\(errors.joined(separator: "; "))" }
        return metadata
    }
}

// MARK: Reading

extension TLSTrustFiles: WatchedFiles {
    /// The contents of all files at one time.
    package struct Reading: Sendable {
        fileprivate let files: TrustFiles.Reading
        fileprivate let digest: ContentDigest
    }

    package func read() -> Reading {
        let files = self.files.read()
        return Reading(files: files, digest: ContentDigest(of: files.files))
    }

    package static func digest(of reading: Reading) -> ContentDigest { reading.digest }

    package static func digest(of snapshot: Snapshot) -> ContentDigest? { snapshot.problems.isEmpty ? snapshot.digest : nil }

    package static func event(_ report: FileReport, snapshot: Snapshot?, error: (any Error)?) -> Event {
        Event(kind: TLSFiles.Event.Kind(report), snapshot: snapshot, error: error)
    }

    package func load(_ reading: Reading) throws(SecureSocketError) -> Snapshot {
        try Snapshot(reading.files.load(), problems: [], digest: reading.digest)
    }

    package func loadPartially(_ reading: Reading, with former: Snapshot?) -> Snapshot? {
        var problems: [SecureSocketError] = []
        guard let loaded = try? reading.files.load(orKeeping: former?.loaded, &problems),
            former?.loaded.isSame(as: loaded) != true
        else { return nil }
        return try? Snapshot(loaded, problems: problems, digest: reading.digest)
    }
}

extension TLSTrustFiles: CustomStringConvertible {
    /// The paths of the files.
    public var description: String { self.files.paths.map(\.escapedForDisplay).joined(separator: ", ") }
}
