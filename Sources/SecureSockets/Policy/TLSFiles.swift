public import Logging
import TLSEngine

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
/// A renewed certificate that has expired or is not valid yet counts as one that cannot be loaded.
///
/// Then, and after each further change, the part that can be used is put into use, if any of it is new (``Event/Kind-swift.struct/partiallyLoaded``). What cannot be loaded is
/// replaced by what was in use before: an identity, the trusted certificates or the revocation lists as a whole. An OCSP response that
/// cannot be used, for example because it is outdated or not yet about a renewed certificate, is left out, unless the certificate requires
/// one (RFC 7633): the certificate in use then stays, with its response. An unusable list therefore does not prevent the renewal of a
/// certificate, nor does an unusable certificate prevent a revocation.
///
/// ## Limits
///
/// Only regular files of at most 16 MiB are read, and of a folder at most 1024 files with 64 MiB in all. Because reading can block, each poll reads and decodes on a thread of its own, which
/// then ends.
public struct TLSFiles: Sendable {
    let identities: [IdentityFiles]
    let trust: TrustFiles
    let legacy: LegacyCertificates

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
    ///     (``TLSIdentity/stapling(ocspResponse:allowing:)``). Default: nil; there is none.
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
        self.init(
            identities: [
                IdentityFiles(
                    certificateChain: certificateChain, privateKey: privateKey, ocspResponse: ocspResponse, password: password)
            ], clientTrust: clientTrust, revocationLists: revocationLists, allowing: legacy)
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
        self.init(
            identities: [IdentityFiles(pkcs12: archive, password: password, ocspResponse: ocspResponse)],
            clientTrust: clientTrust,
            revocationLists: revocationLists, allowing: legacy)
    }

    /// Creates the description of the files of several identities, for a server with several names or kinds of keys
    /// (``ServerIdentity``).
    ///
    /// - Parameters:
    ///   - identities: The files of each identity; at least one. ``Snapshot/identities`` has them in this order.
    ///   - clientTrust: The path of the trusted certificates in PEM, for verifying the peers. Default: nil; there are none.
    ///   - revocationLists: The path of a file or a folder of certificate revocation lists. Default: nil; revocation is not checked.
    ///   - legacy: The kinds of weak certificates to accept in the chains. For old peers only.
    public init(
        identities: [IdentityFiles],
        clientTrust: String? = nil,
        revocationLists: String? = nil,
        allowing legacy: LegacyCertificates = []
    ) {
        self.identities = identities
        self.trust = TrustFiles(certificates: clientTrust, revocationLists: revocationLists)
        self.legacy = legacy
    }

    // MARK: Loading

    /// Loads the files once. Blocks while they are read, so call it when the program starts, or outside event loops.
    ///
    /// The files are read until two readings in succession are the same, but at most five times; the last reading is used. An OCSP response
    /// that cannot be used is left out, unless the certificate requires one; ``Snapshot/problems`` then has the error.
    ///
    /// - Parameter logger: The logger for a warning about what is left out.
    /// - Throws: ``SecureSocketError`` that names the file at fault, with the codes of
    ///   ``TLSIdentity/init(certificateChain:privateKey:password:allowing:)`` and ``TLSTrust``; `identityMissing` if there are no identities.
    ///   Nothing is tried again: files that are in the course of being replaced can fail.
    public func load(logger: Logger = Logger(label: "SecureSockets")) throws(SecureSocketError) -> Snapshot {
        let snapshot = try self.loadOnce()
        for problem in snapshot.problems {
            logger.warning("an OCSP response cannot be used, and is not sent", metadata: ["error": "\(problem)"])
        }
        return snapshot
    }

    /// Loads the files once more. Blocks while they are read. For programs that do so when they are told to, by `SIGHUP` for example, rather than
    /// by ``follow(every:startingFrom:logger:report:_:)``.
    ///
    /// What cannot be loaded is replaced by what the former snapshot has; ``Snapshot/problems`` has the errors.
    ///
    /// - Parameter former: The snapshot in use.
    /// - Throws: ``SecureSocketError`` if there is a problem, and nothing new that could be used.
    public func load(replacing former: Snapshot) throws(SecureSocketError) -> Snapshot { try self.loadOnce(replacing: former) }

    /// Loads the files again whenever they change, until the task is cancelled.
    ///
    /// Each new content is passed to `update`. If `update` throws, the error is reported, and the same content is passed to it again at
    /// every interval until it returns, or until the files change again: its reason may be temporary. The function does not
    /// poll while `update` runs.
    ///
    /// With the package trait `MetricsSupport`, events are counted in `securesockets_file_events_total`, with the dimensions `files` (the
    /// paths) and `event` (the ``Event/Kind-swift.struct``). The meter `securesockets_files_unusable` is 1 from
    /// ``Event/Kind-swift.struct/failed`` or ``Event/Kind-swift.struct/updateFailed`` until the problem is over, and otherwise 0. The metrics
    /// belong to the factory with which `MetricsSystem` was bootstrapped.
    ///
    /// **Cancelling** the task ends the function, which then returns without an error. It does not wait for a file that is being read.
    ///
    /// - Parameters:
    ///   - interval: The time between two polls, at least 100 milliseconds. Default: 10 seconds.
    ///   - snapshot: The snapshot in use, as loaded by ``load()``. Default: nil; the files' current content is passed to `update` first.
    ///   - logger: The logger, with at most ten lines of a kind in ten seconds: ``Event/Kind-swift.struct/failed``,
    ///     ``Event/Kind-swift.struct/partiallyLoaded`` and ``Event/Kind-swift.struct/updateFailed`` at level `warning`,
    ///     ``Event/Kind-swift.struct/loaded`` and ``Event/Kind-swift.struct/recovered`` at `notice`, ``Event/Kind-swift.struct/retrying`` at
    ///     `debug`. A problem that lasts is logged again every hour.
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
        try await self.followChanges(
            every: interval, startingFrom: snapshot, on: clock, FilesReporter(logger, about: "certificate", at: self.description),
            report: report, update)
    }
}

extension TLSFiles.Event: FilesEvent {
    /// What a log says about it: neither keys nor passwords.
    var logMetadata: Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        let leaves = self.snapshot?.identities.compactMap(\.certificates.first) ?? []
        if !leaves.isEmpty { metadata["sha256"] = "\(leaves.map(\.sha256Fingerprint).joined(separator: ", "))" }
        metadata["validUntil"] = self.snapshot?.notAfter.map { "\(UTCDate($0))" }
        let errors = self.error.map { ["\($0)"] } ?? self.snapshot?.problems.map(\.description) ?? []
        if !errors.isEmpty { metadata["error"] = "\(errors.joined(separator: "; "))" }
        return metadata
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

    private var paths: [String] { self.identities.flatMap(\.paths) + self.trust.paths }
}
