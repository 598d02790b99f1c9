public import Logging
package import SocketCore
package import TLSEngine

/// Files with the keys of session tickets, which several servers have in common and which may be replaced while they run.
///
/// ```swift
/// let files = TicketKeyFiles(["/run/secrets/tickets/current.key", "/run/secrets/tickets/previous.key"])
/// let keys = try TicketKeys(files.load())
/// // In a task that lives as long as the server:
/// await keys.follow(files.rings(every: .seconds(10)))
/// ```
///
/// A file has one key or several in succession, each of 80 or of 48 random bytes, as nginx reads them (`ssl_session_ticket_key`); make one
/// with `openssl rand 80` or `tls tickets new`. The first 8 bytes are the key's name. A length that is a multiple of both is that of keys of
/// 80 bytes. Tickets are sealed with a key that is derived from all bytes, in this library's own format.
///
/// The first key of the first file seals; all keys open. To replace a key without losing sessions, give all servers the new one in another
/// place first, move it to the first place when all have it, and keep the former ones until their sessions have expired. `tls tickets rotate`
/// does so.
///
/// A path may be that of a folder, whose files are read in the order of their names: a volume of a Kubernetes Secret, for example. Hidden
/// files and subfolders are skipped.
///
/// ## Changes and problems
///
/// The files are watched as ``TLSFiles`` are: they are compared by content, new content is used when two readings in succession agree, and
/// files that cannot be loaded leave the keys in use as they are. A key that is there twice, as when a file was copied before the original
/// is replaced, counts once.
public struct TicketKeyFiles: Sendable, Hashable {
    private let paths: [String]

    /// Creates the description of files. No file is read until ``load()`` or ``rings(every:logger:report:)``.
    ///
    /// - Parameter paths: The paths of files or folders. Relative ones are resolved against the working directory at the time of each
    ///   reading.
    public init(_ paths: [String]) { self.paths = paths }

    /// Loads the files once. Blocks while they are read, so call it when the program starts, or outside event loops.
    ///
    /// - Throws: ``SecureSocketError``, with the code `invalidConfiguration` if a file cannot be read, and `invalidArgument` if one does not
    ///   have keys, if there is no key or there are too many in all, or if two keys have the same name.
    public func load() throws(SecureSocketError) -> TicketKeys.Ring { try self.load(self.read()) }

    /// Returns the sequence of rings that the files contain: the present one, and a new one after each change.
    ///
    /// The sequence ends when the task that iterates over it is **cancelled**. With the package trait `MetricsSupport`, events are counted as
    /// by ``TLSFiles/follow(every:startingFrom:logger:report:_:)``.
    ///
    /// - Parameters:
    ///   - interval: The time between two polls. Values below 100 milliseconds count as that. Default: 10 seconds.
    ///   - logger: The logger, with at most ten lines of a kind in ten seconds. Names of keys are logged.
    ///   - report: A function that is called with each event.
    public func rings(
        every interval: Duration = .seconds(10), logger: Logger = Logger(label: "SecureSockets"),
        report: @escaping @Sendable (Event) -> Void = { _ in }
    ) -> Rings {
        Rings(files: self, interval: max(interval, .milliseconds(100)), clock: ContinuousClock(), logger: logger, report: report)
    }

    package func rings(
        every interval: Duration, on clock: any Clock<Duration>, logger: Logger, report: @escaping @Sendable (Event) -> Void
    ) -> Rings {
        Rings(files: self, interval: interval, clock: clock, logger: logger, report: report)
    }

    /// A change of the files, or a problem with them.
    public struct Event: Sendable, CustomStringConvertible {
        /// The kind of the event, as for ``TLSFiles``.
        public let kind: TLSFiles.Event.Kind
        /// The ring of ``TLSFiles/Event/Kind-swift.struct/loaded``; otherwise nil.
        public let ring: TicketKeys.Ring?
        /// The error of ``TLSFiles/Event/Kind-swift.struct/retrying`` and ``TLSFiles/Event/Kind-swift.struct/failed``, which is a
        /// ``SecureSocketError``; otherwise nil.
        public let error: (any Error)?

        /// The kind, with the error if there is one.
        public var description: String { self.error.map { "\(self.kind): \($0)" } ?? "\(self.kind)" }
    }

    /// The rings that files contain, one after the other.
    public struct Rings: AsyncSequence, Sendable {
        public typealias Element = TicketKeys.Ring
        public typealias Failure = Never

        fileprivate let files: TicketKeyFiles
        fileprivate let interval: Duration
        fileprivate let clock: any Clock<Duration>
        fileprivate let logger: Logger
        fileprivate let report: @Sendable (Event) -> Void

        public func makeAsyncIterator() -> Iterator { Iterator(self) }

        /// Polls the files when the next ring is awaited.
        public struct Iterator: AsyncIteratorProtocol {
            private let rings: Rings
            private var polling: FilesPolling<TicketKeyFiles>
            private var reporter: FilesReporter
            private var pause: Duration?

            fileprivate init(_ rings: Rings) {
                self.rings = rings
                self.polling = FilesPolling(of: rings.files, startingFrom: nil)
                self.reporter = FilesReporter(rings.logger, about: "ticket key", at: rings.files.description)
            }

            /// Returns the next ring; nil when the task is cancelled.
            public mutating func next() async -> TicketKeys.Ring? { await self.next(isolation: #isolation) }

            /// Returns the next ring; nil when the task is cancelled.
            public mutating func next(isolation actor: isolated (any Actor)?) async -> TicketKeys.Ring? {
                while !Task.isCancelled {
                    if let pause {
                        guard (try? await self.rings.clock.sleep(for: pause)) != nil else { return nil }
                    }
                    var ring: TicketKeys.Ring?
                    var events: [Event] = []
                    let next = await self.polling.poll({ ring = $0 }, report: { events.append($0) })
                    self.pause = next.pause(every: self.rings.interval)
                    for event in events {
                        self.reporter.report(event.kind, event.logMetadata, at: .now())
                        self.rings.report(event)
                    }
                    self.reporter.remind(at: .now())
                    if let ring { return ring }
                }
                return nil
            }
        }
    }
}

extension TicketKeyFiles.Event: FilesEvent {
    /// The names of keys are public: tickets have them.
    var logMetadata: Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        metadata["keys"] = self.ring.map { "\($0.keys.map(\.name).joined(separator: ", "))" }
        metadata["error"] = self.error.map { "\($0)" }
        return metadata
    }
}

// MARK: Reading

extension TicketKeyFiles: WatchedFiles {
    package struct Reading: Sendable {
        fileprivate let files: [FileContent]
    }

    package func read() -> Reading {
        Reading(files: self.paths.flatMap { FileContent.contents(ofFileOrFolder: $0, as: .ticketKeys) })
    }

    package static func digest(of reading: Reading) -> ContentDigest { ContentDigest(of: reading.files) }

    package static func digest(of snapshot: TicketKeys.Ring) -> ContentDigest? { nil }

    package func loadPartially(_ reading: Reading, with former: TicketKeys.Ring?) -> TicketKeys.Ring? { nil }

    package static func event(_ report: FileReport, snapshot: TicketKeys.Ring?, error: (any Error)?) -> Event {
        Event(kind: TLSFiles.Event.Kind(report), ring: snapshot, error: error)
    }

    package func load(_ reading: Reading) throws(SecureSocketError) -> TicketKeys.Ring {
        var keys: [TicketKeys.Ring.Key] = []
        for file in reading.files {
            let bytes: [UInt8]
            do {
                bytes = try file.bytes
            } catch {
                throw SecureSocketError(error)
            }
            for key in try Self.keys(in: bytes, of: file.path) where !keys.contains(key) { keys.append(key) }
        }
        return try TicketKeys.Ring(keys)
    }

    /// The lengths of keys, the preferred one first.
    private static let keyLengths = [80, 48]

    private static func keys(in bytes: [UInt8], of path: String) throws(SecureSocketError) -> [TicketKeys.Ring.Key] {
        let place = "the ticket key file \(path.escapedForDisplay)"
        guard let length = Self.keyLengths.first(where: { !bytes.isEmpty && bytes.count.isMultiple(of: $0) }) else {
            throw SecureSocketError(
                .invalidArgument, blame: .configuration, step: .configuring,
                "\(place) has \(bytes.count) bytes, which is not a multiple of \(Self.keyLengths[0]) or \(Self.keyLengths[1])",
                advice: "Make a key with: openssl rand 80")
        }
        guard bytes.count / length <= TicketKeys.Ring.maximumKeys else {
            throw SecureSocketError(
                .invalidArgument, blame: .configuration, step: .configuring,
                "\(place) has \(bytes.count / length) keys; \(TicketKeys.Ring.maximumKeys) are possible")
        }
        var keys: [TicketKeys.Ring.Key] = []
        for start in stride(from: 0, to: bytes.count, by: length) {
            let key = bytes[start..<(start + length)]
            keys.append(try .init(name: key.prefix(TicketKeys.Ring.Key.nameLength), secret: .init(key, of: place)))
        }
        return keys
    }
}

extension TicketKeyFiles: CustomStringConvertible {
    /// The paths.
    public var description: String { self.paths.map(\.escapedForDisplay).joined(separator: ", ") }
}
