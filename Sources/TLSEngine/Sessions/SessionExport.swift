internal import CNIOBoringSSL

/// The reason for which sessions could not be exported or restored.
package enum SessionExportError: Error, Sendable, Hashable {
    /// The bytes do not begin as an export does, or are fewer than the shortest export.
    case notAnExport
    case unknownVersion(UInt8)
    case tooLarge(limit: Int)
    /// The bytes were sealed with another secret, or changed since.
    case notAuthentic
    /// The bytes are authentic, but cannot be decoded.
    case malformed
    /// The random generator or memory failed.
    case library(LibraryReason?)
}

/// Exports of a client's sessions, sealed with AES-256-GCM-SIV (RFC 8452), which tolerates a repeated nonce:
///
///     `TLSsess`, version (8 bytes) | nonce (12 bytes) | sealed entries | tag (16 bytes)
///
/// The first eight bytes are authenticated. The entries follow each other, oldest first; each is the expiry in seconds since 1970 (8 bytes),
/// and, each after its length (4 bytes): digest of the configuration, server, requested name, expected name, and the session in BoringSSL's
/// encoding. The length 2³² − 1 stands for a name that is absent.
extension SessionCache {
    /// The largest export: as large as the files that are read. With chains and tickets of usual lengths it has room for 3,000 sessions.
    package static let largestExport = PEMInput.limit

    /// Exports the sessions that have not expired; if they are too many for `largestExport`, the newest.
    ///
    /// - Parameters:
    ///   - removing: Whether all sessions are removed from the cache. If the export fails, they are in the cache again.
    ///   - now: Seconds since 1970.
    package func export(
        sealedWith secret: TicketSecret, removing: Bool, now: UInt64
    ) throws(SessionExportError) -> (bytes: [UInt8], count: Int) {
        let entries = self.entries(removing: removing)
        do throws(SessionExportError) {
            var encoded: [EncodedSession] = []
            var length = SessionExport.overhead
            for (key, entry) in entries.reversed() where entry.expiry > now {
                let session = try EncodedSession(key, entry)
                guard length + session.length <= Self.largestExport else { break }
                length += session.length
                encoded.append(session)
            }
            // With its final capacity, because growing would leave copies of secrets in memory.
            var content: [UInt8] = []
            content.reserveCapacity(length - SessionExport.overhead)
            for session in encoded.reversed() { session.append(to: &content) }
            defer { content.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
            return (try SessionExport.seal(content, with: secret), encoded.count)
        } catch {
            if removing { self.store(entries) }
            throw error
        }
    }

    /// Adds the sessions of an export that have not expired. They count as the newest. If there is an error, none is added.
    ///
    /// - Returns: The number of sessions that were added, of which the cache's bounds may have displaced some.
    package func restore(_ bytes: [UInt8], sealedWith secret: TicketSecret, now: UInt64) throws(SessionExportError) -> Int {
        var content = try SessionExport.open(bytes, with: secret)
        let entries = content.withUnsafeMutableBytes { content in
            defer { OPENSSL_cleanse(content.baseAddress, content.count) }
            return self.entries(in: UnsafeRawBufferPointer(content), now: now)
        }
        guard let entries else {
            ErrorQueue.clear()
            throw .malformed
        }
        self.store(entries)
        return entries.count
    }

    /// Returns the newest of the entries that have not expired, as many as the cache has room for; nil if the bytes cannot be decoded.
    private func entries(in content: UnsafeRawBufferPointer, now: UInt64) -> [(key: Key, value: Entry)]? {
        var reader = EntryReader(content)
        var entries: [(key: Key, value: Entry)] = []
        while !reader.isAtEnd {
            guard let entry = reader.nextEntry() else { return nil }
            if entry.value.expiry > now { entries.append(entry) }
            if entries.count >= 2 * self.capacity { entries.removeFirst(entries.count - self.capacity) }
        }
        entries.removeFirst(max(entries.count - self.capacity, 0))
        return entries
    }
}

/// The encryption of exports.
enum SessionExport {
    static let name = Array("TLSsess".utf8)
    static let version: UInt8 = 1
    static let headerLength = 8
    static let overhead = headerLength + TicketSecret.overhead
    /// The purpose of the derived key (RFC 5869 §3.2). It is not that of the keys for a server's tickets.
    private static let purpose = Array("secure-sockets client sessions, version 1".utf8)

    static func seal(_ content: [UInt8], with secret: TicketSecret) throws(SessionExportError) -> [UInt8] {
        let header = self.name + [self.version]
        guard let sealed = secret.seal(content, for: self.purpose, authenticating: header) else {
            throw .library(ErrorQueue.drain().first)
        }
        return header + sealed
    }

    /// Returns the entries of an export.
    static func open(_ bytes: [UInt8], with secret: TicketSecret) throws(SessionExportError) -> [UInt8] {
        guard bytes.count >= self.overhead, bytes.starts(with: self.name) else { throw .notAnExport }
        guard bytes.count <= SessionCache.largestExport else { throw .tooLarge(limit: SessionCache.largestExport) }
        guard bytes[self.name.count] == self.version else { throw .unknownVersion(bytes[self.name.count]) }
        let header = Array(bytes.prefix(self.headerLength))
        guard let content = secret.open(Array(bytes.dropFirst(self.headerLength)), for: self.purpose, authenticating: header)
        else {
            throw .notAuthentic
        }
        return content
    }
}

/// One entry of an export, before it is sealed.
private final class EncodedSession {
    private let key: SessionCache.Key
    private let expiry: UInt64
    /// BoringSSL's encoding, in BoringSSL's memory, which it overwrites when it is freed.
    private let encoding: UnsafeMutablePointer<UInt8>
    private let encodingLength: Int

    init(_ key: SessionCache.Key, _ entry: SessionCache.Entry) throws(SessionExportError) {
        var encoding: UnsafeMutablePointer<UInt8>?
        var length = 0
        guard SSL_SESSION_to_bytes(entry.session.pointer, &encoding, &length) == 1, let encoding else {
            throw .library(ErrorQueue.drain().first)
        }
        self.key = key
        self.expiry = entry.expiry
        self.encoding = encoding
        self.encodingLength = length
    }

    deinit { OPENSSL_free(self.encoding) }

    var length: Int {
        let names = (self.key.requestedName?.utf8.count ?? 0) + (self.key.expectedName?.utf8.count ?? 0)
        return 8 + 5 * 4 + self.key.configuration.count + self.key.server.utf8.count + names + self.encodingLength
    }

    func append(to bytes: inout [UInt8]) {
        func append(_ number: some FixedWidthInteger) {
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        }
        func append(_ field: some Collection<UInt8>) {
            append(UInt32(field.count))
            bytes.append(contentsOf: field)
        }
        append(self.expiry)
        append(self.key.configuration)
        append(self.key.server.utf8)
        for name in [self.key.requestedName, self.key.expectedName] {
            if let name { append(name.utf8) } else { append(EntryReader.absent) }
        }
        append(UnsafeBufferPointer(start: self.encoding, count: self.encodingLength))
    }
}

/// Reads the entries of an export.
private struct EntryReader {
    static let absent = UInt32.max

    private var rest: Slice<UnsafeRawBufferPointer>

    /// - Parameter bytes: The bytes, which are valid as long as the reader is used.
    init(_ bytes: UnsafeRawBufferPointer) { self.rest = bytes[...] }

    var isAtEnd: Bool { self.rest.isEmpty }

    /// The context for decoding, from which a session takes nothing but the kind of its certificates. Created once per process and never
    /// freed. Sharing it is sound because it is never changed after its creation.
    nonisolated(unsafe) private static let context = SSL_CTX_new(TLS_method())

    /// Returns nil if the bytes are not an entry.
    mutating func nextEntry() -> (key: SessionCache.Key, value: SessionCache.Entry)? {
        guard let expiry = self.number(UInt64.self), let configuration = self.field(), let server = self.field(),
            let requestedName = self.name(), let expectedName = self.name(), let encoding = self.field()
        else { return nil }
        let start = encoding.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let pointer = SSL_SESSION_from_bytes(start, encoding.count, Self.context) else { return nil }
        let session = Session(taking: pointer)
        // Every session has the digest of its configuration. BoringSSL ends the handshake if it is another.
        guard SSL_SESSION_is_resumable(pointer) == 1, session.isOf(configuration) else { return nil }
        let key = SessionCache.Key(
            configuration: Array(configuration), server: String(decoding: server, as: UTF8.self), requestedName: requestedName,
            expectedName: expectedName)
        return (key, SessionCache.Entry(session: session, expiry: expiry))
    }

    private mutating func number<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
        let count = MemoryLayout<Number>.size
        guard self.rest.count >= count else { return nil }
        defer { self.rest = self.rest.dropFirst(count) }
        return self.rest.prefix(count).reduce(0) { $0 << 8 | Number($1) }
    }

    private mutating func field() -> UnsafeRawBufferPointer? {
        guard let count = self.number(UInt32.self), self.rest.count >= Int(count) else { return nil }
        defer { self.rest = self.rest.dropFirst(Int(count)) }
        return UnsafeRawBufferPointer(rebasing: self.rest.prefix(Int(count)))
    }

    /// Returns `.some(nil)` for a name that is absent.
    private mutating func name() -> String?? {
        var copy = self
        if copy.number(UInt32.self) == Self.absent {
            self = copy
            return .some(nil)
        }
        return self.field().map { String(decoding: $0, as: UTF8.self) }
    }
}

extension Session {
    /// Whether the session belongs to a context with this digest.
    fileprivate func isOf(_ configuration: UnsafeRawBufferPointer) -> Bool {
        var length: UInt32 = 0
        let start = SSL_SESSION_get0_id_context(self.pointer, &length)
        return UnsafeBufferPointer(start: start, count: Int(length)).elementsEqual(configuration)
    }
}
