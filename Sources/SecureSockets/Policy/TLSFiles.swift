public import Logging
package import SocketCore
package import TLSEngine

/// The files of a certificate chain, its private key, trusted certificates and an OCSP response, which may be replaced while the program runs.
///
/// ```swift
/// let files = TLSFiles(certificateChain: "server.pem", privateKey: "server-key.pem")
/// let first = try files.load()
/// let listener = try await SecureListener.bind(port: 8443, tls: TLSServerConfiguration(identity: first.identity))
/// try await files.follow(every: .seconds(10), startingFrom: first) { renewed in
///     try await listener.update(tls: TLSServerConfiguration(identity: renewed.identity))
/// }
/// ```
///
/// ## What counts as a change
///
/// The files are compared by their content, not by their dates: at every poll, all of them are read. Files may be overwritten, or replaced
/// by others of the same name, and symbolic links to them or to their folders may be changed, as Kubernetes does in its volumes.
///
/// New content is read again after a second, or after one interval if that is shorter, and used only if it is the same. This prevents the
/// use of a file that is half written, and of files that do not belong together because only some have been replaced. Content that
/// differs in four readings in succession is used nevertheless, if it can be loaded.
///
/// ## Problems
///
/// If the files cannot be loaded, the content in use stays in use, and the files are read again at every interval. A missing file, a
/// certificate chain that is cut off, and a private key that does not fit the chain yet may be in the course of being replaced. They are
/// therefore reported as failed only after the third failure in succession, whether or not the content changed between them.
///
/// ## Limits
///
/// Only regular files of at most 16 MiB are read. Because reading can block, each poll reads and decodes on a thread of its own, which
/// then ends.
public struct TLSFiles: Sendable {
    private enum IdentityFiles {
        case pem(certificateChain: String, privateKey: String, password: String?)
        case pkcs12(archive: String, password: String)
    }

    private let identity: IdentityFiles
    private let clientTrust: String?
    private let revocationLists: String?
    private let ocspResponse: String?
    private let legacy: LegacyCertificates

    /// Creates the description of PEM files. No file is read until ``load()`` or ``follow(every:startingFrom:logger:report:_:)``.
    ///
    /// Relative paths are resolved against the working directory at the time of each reading.
    ///
    /// - Parameters:
    ///   - certificateChain: The path of the certificates in PEM, as for ``TLSIdentity/init(certificateChain:privateKey:password:allowing:)``.
    ///   - privateKey: The path of the private key in PEM. It may be the same as that of the chain.
    ///   - clientTrust: The path of the trusted certificates in PEM, for verifying the peers. Default: nil; there are none.
    ///   - revocationLists: The path of a file or a folder of certificate revocation lists, by which `clientTrust` refuses revoked
    ///     certificates (``RevocationLists``). Default: nil; revocation is not checked.
    ///   - ocspResponse: The path of an OCSP response in DER, which a server sends with the certificate
    ///     (``TLSIdentity/stapling(ocspResponse:allowing:)``). A renewed certificate is loaded only together with a response about it.
    ///     Default: nil; there is none.
    ///   - password: The password of an encrypted key, which new keys must have as well; ignored for keys that are not encrypted.
    ///   - legacy: The kinds of weak certificates to accept in the chain. For old peers only.
    public init(
        certificateChain: String,
        privateKey: String,
        clientTrust: String? = nil,
        revocationLists: String? = nil,
        ocspResponse: String? = nil,
        password: String? = nil,
        allowing legacy: LegacyCertificates = []
    ) {
        self.identity = .pem(certificateChain: certificateChain, privateKey: privateKey, password: password)
        self.clientTrust = clientTrust
        self.revocationLists = revocationLists
        self.ocspResponse = ocspResponse
        self.legacy = legacy
    }

    /// Creates the description of a PKCS#12 archive (RFC 7292) and, optionally, a file of trusted certificates.
    ///
    /// - Parameters:
    ///   - archive: The path of the archive, as for ``TLSIdentity/init(pkcs12:password:allowing:)``.
    ///   - password: The archive's password, which may be empty. New archives must have the same one.
    ///   - clientTrust: The path of the trusted certificates in PEM, for verifying the peers. Default: nil; there are none.
    ///   - revocationLists: The path of a file or a folder of certificate revocation lists. Default: nil; revocation is not checked.
    ///   - ocspResponse: The path of an OCSP response in DER, which a server sends with the certificate. Default: nil; there is none.
    ///   - legacy: The kinds of weak certificates to accept in the archive. For old peers only.
    public init(
        pkcs12 archive: String,
        password: String,
        clientTrust: String? = nil,
        revocationLists: String? = nil,
        ocspResponse: String? = nil,
        allowing legacy: LegacyCertificates = []
    ) {
        self.identity = .pkcs12(archive: archive, password: password)
        self.clientTrust = clientTrust
        self.revocationLists = revocationLists
        self.ocspResponse = ocspResponse
        self.legacy = legacy
    }

    // MARK: Loading

    /// Loads the files once. Blocks while they are read, so call it when the program starts, or outside event loops.
    ///
    /// The files are read until two readings in succession are the same, but at most five times; the last reading is used.
    ///
    /// - Throws: ``SecureSocketError`` that names the file at fault, with the codes of
    ///   ``TLSIdentity/init(certificateChain:privateKey:password:allowing:)`` and ``TLSTrust``. Nothing is tried
    ///   again: files that are in the course of being replaced can fail.
    public func load() throws(SecureSocketError) -> Snapshot {
        var reading = self.read()
        for _ in 1..<Self.mostReadings {
            let last = reading.digest
            reading = self.read()
            if reading.digest == last { break }
        }
        return try self.load(reading)
    }

    private static let mostReadings = 5

    /// Loads the files again whenever they change, until the task is cancelled.
    ///
    /// Each new content is passed to `update`. If `update` throws, the error is reported, and the same content is passed to it again at
    /// every interval until it returns, or until the files change again: its reason may be temporary. The function does not poll while
    /// `update` runs.
    ///
    /// **Cancelling** the task ends the function, which then returns without an error. It does not wait for a file that is being read.
    ///
    /// - Parameters:
    ///   - interval: The time between two polls, at least 100 milliseconds. Default: 10 seconds.
    ///   - snapshot: The snapshot in use, as loaded by ``load()``. Default: nil; the files' current content is passed to `update` first.
    ///   - logger: The logger, with at most ten lines of a kind in ten seconds: ``Event/Kind-swift.struct/failed`` and
    ///     ``Event/Kind-swift.struct/updateFailed`` at level `warning`, ``Event/Kind-swift.struct/loaded`` and
    ///     ``Event/Kind-swift.struct/recovered`` at `notice`, ``Event/Kind-swift.struct/retrying`` at `debug`.
    ///   - report: A function that is called with each event, in the function's task. Polls without a change are not reported.
    ///   - update: The function that puts a snapshot into use.
    /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if the interval is shorter than 100 milliseconds.
    public func follow(
        every interval: Duration = .seconds(10),
        startingFrom snapshot: Snapshot? = nil,
        logger: Logger = Logger(label: "SecureSockets"),
        report: (Event) -> Void = { _ in },
        _ update: (Snapshot) async throws -> Void
    ) async throws(SecureSocketError) {
        try await self.follow(
            every: interval, startingFrom: snapshot, on: ContinuousClock(), logger: logger, report: report, update)
    }

    package func follow(
        every interval: Duration,
        startingFrom snapshot: Snapshot?,
        on clock: any Clock<Duration>,
        logger: Logger,
        report: (Event) -> Void,
        _ update: (Snapshot) async throws -> Void
    ) async throws(SecureSocketError) {
        guard interval >= .milliseconds(100) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring,
                "the interval between polls is \(interval); it must be at least 100 ms")
        }
        var polling = FilesPolling(of: self, startingFrom: snapshot?.digest)
        var log = FilesLog(logger, about: "certificate")
        while !Task.isCancelled {
            let next = await polling.poll(update) { event in
                log.write(event.kind, error: event.error, metadata: event.snapshot?.logMetadata ?? [:], at: .now())
                report(event)
            }
            guard (try? await clock.sleep(for: next.pause(every: interval))) != nil else { return }
        }
    }
}

extension TLSFiles.Snapshot {
    /// What a log says about it: neither keys nor passwords.
    fileprivate var logMetadata: Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        metadata["sha256"] = self.identity.certificates.first.map { "\($0.sha256Fingerprint)" }
        metadata["validUntil"] = self.notAfter.map { "\(UTCDate($0))" }
        return metadata
    }
}

// MARK: Reading

extension TLSFiles: WatchedFiles {
    package static func digest(of reading: Reading) -> ContentDigest { reading.digest }

    package static func event(_ report: FileReport, snapshot: Snapshot?, error: (any Error)?) -> Event {
        Event(Event.Kind(report), snapshot: snapshot, error: error)
    }

    /// The contents of all files at one time.
    package struct Reading: Sendable {
        fileprivate enum Identity: Sendable {
            case pem(certificateChain: FileContent, privateKey: FileContent, password: String?)
            case pkcs12(archive: FileContent, password: String)

            var files: [FileContent] {
                switch self {
                case .pem(let certificateChain, let privateKey, _): [certificateChain, privateKey]
                case .pkcs12(let archive, _): [archive]
                }
            }
        }

        fileprivate let identity: Identity
        fileprivate let clientTrust: FileContent?
        fileprivate let revocationLists: [FileContent]
        fileprivate let ocspResponse: FileContent?
        let digest: ContentDigest

        fileprivate init(
            identity: Identity, clientTrust: FileContent?, revocationLists: [FileContent], ocspResponse: FileContent?
        ) {
            self.identity = identity
            self.clientTrust = clientTrust
            self.revocationLists = revocationLists
            self.ocspResponse = ocspResponse
            self.digest = ContentDigest(of: identity.files + [clientTrust, ocspResponse].compactMap(\.self) + revocationLists)
        }
    }

    /// Reads all files. Blocks.
    package func read() -> Reading {
        let identity: Reading.Identity =
            switch self.identity {
            case .pem(let certificateChain, let privateKey, let password):
                .pem(
                    certificateChain: FileContent(reading: certificateChain, as: .certificateChain),
                    privateKey: FileContent(reading: privateKey, as: .privateKey), password: password)
            case .pkcs12(let archive, let password):
                .pkcs12(archive: FileContent(reading: archive, as: .archive), password: password)
            }
        return Reading(
            identity: identity,
            clientTrust: self.clientTrust.map { FileContent(reading: $0, as: .trustedCertificates) },
            revocationLists: self.revocationLists.map { FileContent.contents(ofFileOrFolder: $0, as: .revocationLists) } ?? [],
            ocspResponse: self.ocspResponse.map { FileContent(reading: $0, as: .ocspResponse) })
    }

    /// Loads contents that were read.
    package func load(_ reading: Reading) throws(SecureSocketError) -> Snapshot {
        var identity =
            switch reading.identity {
            case .pem(let certificateChain, let privateKey, let password):
                try TLSIdentity(
                    certificateChain: Self.source(certificateChain), privateKey: Self.source(privateKey), password: password,
                    allowing: self.legacy)
            case .pkcs12(let archive, let password):
                try TLSIdentity(pkcs12: Self.source(archive), password: password, allowing: self.legacy)
            }
        if let response = reading.ocspResponse {
            identity = try identity.stapling(ocspResponse: Self.source(response), allowing: self.legacy)
        }
        let lists = try self.lists(of: reading)
        var trust: TLSTrust?
        if let file = reading.clientTrust { trust = try .only(Self.source(file)) }
        if let lists { trust = trust?.checkingRevocation(with: lists) }
        return Snapshot(identity: identity, clientTrust: trust, revocationLists: lists, digest: reading.digest)
    }

    private func lists(of reading: Reading) throws(SecureSocketError) -> RevocationLists? {
        guard let path = self.revocationLists else { return nil }
        var lists: RevocationLists?
        for file in reading.revocationLists {
            let more = try RevocationLists(Self.source(file))
            lists = try lists?.adding(more) ?? more
        }
        guard let lists else {
            throw SecureSocketError(
                .trustUnusable, blame: .configuration, step: .configuring, "\(path.escapedForDisplay) has no revocation list",
                advice: "Put the lists of the authorities there before the server starts")
        }
        return lists
    }

    private static func source(_ file: FileContent) throws(SecureSocketError) -> CredentialSource {
        do {
            return CredentialSource(try file.input)
        } catch {
            throw SecureSocketError(error)
        }
    }
}

// MARK: Description

extension TLSFiles: CustomStringConvertible, CustomReflectable {
    /// The paths of the files. The password is omitted.
    public var description: String {
        self.paths.map(\.escapedForDisplay).joined(separator: ", ")
    }

    /// The paths of the files, so that `dump` does not print the password.
    public var customMirror: Mirror { Mirror(self, unlabeledChildren: self.paths) }

    private var paths: [String] {
        let identity =
            switch self.identity {
            case .pem(let certificateChain, let privateKey, _): [certificateChain, privateKey]
            case .pkcs12(let archive, _): [archive]
            }
        return identity + [self.clientTrust, self.revocationLists, self.ocspResponse].compactMap(\.self)
    }
}
