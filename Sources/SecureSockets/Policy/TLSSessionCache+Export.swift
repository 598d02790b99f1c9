import TLSEngine

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

extension TLSSessionCache {
    private static var now: UInt64 { UInt64(max(time(nil), 0)) }

    // MARK: Bytes

    /// Returns the sessions that have not expired, encrypted (AES-256-GCM-SIV, RFC 8452, with a key derived by HKDF-SHA256).
    ///
    /// - Important: Unless they are removed, the sessions stay in this cache. If both it and a restored one are then used, a session of TLS 1.3
    ///   may be used twice, so that an observer can tell that both connections are of the same client (RFC 8446 §C.4). The same happens
    ///   if one export is restored twice.
    ///
    /// - Parameters:
    ///   - secret: The secret with which the sessions can be restored.
    ///   - removing: Whether this cache is empty afterwards. Connections under way can add new sessions. Default: false.
    /// - Returns: The export, at most 16 MiB; if the sessions take more, the newest of them.
    /// - Throws: ``SecureSocketError`` with the code `system` if there is not enough memory. The cache is unchanged then.
    public func export(sealedWith secret: Secret, removing: Bool = false) throws(SecureSocketError) -> [UInt8] {
        do {
            return try self.cache.export(sealedWith: secret.secret, removing: removing, now: Self.now).bytes
        } catch {
            throw SecureSocketError(error, of: "the sessions")
        }
    }

    /// Adds the sessions of an export that have not expired. They count as the newest, so that they displace others if the cache is full.
    ///
    /// They are resumed only by configurations with the same settings as the one under which they were established.
    ///
    /// - Parameters:
    ///   - bytes: The result of ``export(sealedWith:removing:)``, at most 16 MiB.
    ///   - secret: The secret with which it was exported.
    /// - Returns: The number of sessions that were added.
    /// - Throws: ``SecureSocketError`` with the code `invalidConfiguration` if the bytes are not an export, were exported with another
    ///   secret, or are damaged. No session is added then.
    @discardableResult
    public func restore(_ bytes: some Collection<UInt8>, sealedWith secret: Secret) throws(SecureSocketError) -> Int {
        try self.restore(bytes, sealedWith: secret, of: "the exported sessions")
    }

    private func restore(_ bytes: some Collection<UInt8>, sealedWith secret: Secret, of name: String) throws(SecureSocketError)
        -> Int
    {
        do {
            // One more than permitted says as much as all of them.
            return try self.cache.restore(
                Array(bytes.prefix(SessionCache.largestExport + 1)), sealedWith: secret.secret, now: Self.now)
        } catch {
            throw SecureSocketError(error, of: name)
        }
    }

    // MARK: Files

    /// Writes the sessions that have not expired to a file, encrypted, and removes them from this cache.
    ///
    /// The file is written under another name in the same folder and then renamed: other processes see the former file or the complete
    /// new one. Its permissions are 0600. It replaces a file of the same name, whose sessions are lost. If there are no sessions, nothing is
    /// written.
    ///
    /// **Cancelling** the task ends the wait. If writing has begun, it is completed in the background.
    ///
    /// - Parameters:
    ///   - path: The path of the file, in a folder in which the process may create files.
    ///   - secret: The secret with which the sessions can be restored.
    /// - Returns: The number of sessions that were written.
    /// - Throws: ``SecureSocketError`` that names the file, with the code `accessDenied`, `system` or another one of the operating
    ///   system's, or `cancelled`. If the file cannot be written, the sessions are in the cache again.
    @discardableResult
    public func export(toFile path: String, sealedWith secret: Secret) async throws(SecureSocketError) -> Int {
        try await Self.inBackground { () throws(SecureSocketError) in
            let file = try SessionFile(path)
            let export: (bytes: [UInt8], count: Int)
            do throws(SessionExportError) {
                export = try self.cache.export(sealedWith: secret.secret, removing: true, now: Self.now)
            } catch {
                throw SecureSocketError(error, of: "the sessions")
            }
            guard export.count > 0 else { return 0 }
            do throws(SecureSocketError) {
                try file.replace(with: export.bytes)
            } catch {
                _ = try? self.restore(export.bytes, sealedWith: secret)
                throw error
            }
            return export.count
        }
    }

    /// Adds the sessions of a file that ``export(toFile:sealedWith:)`` has written, and removes the file.
    ///
    /// The file is claimed by renaming it. If several processes restore the same file at the same time, one of them gets its sessions, and
    /// the others get none. So no session of TLS 1.3 is used twice. If a process is killed while it restores, a file is left whose name
    /// continues with `.claimed-`; its sessions are lost, and it can be removed.
    ///
    /// **Cancelling** the task ends the wait. If restoring has begun, it is completed in the background.
    ///
    /// - Parameters:
    ///   - path: The path of the file, which must be a regular one.
    ///   - secret: The secret with which it was exported.
    /// - Returns: The number of sessions that were added. 0 if there is no file, as when the program is started for the first time.
    /// - Throws: ``SecureSocketError`` that names the file: `invalidConfiguration` if it is not an export, was exported with another
    ///   secret, or is damaged, a code of the operating system's, or `cancelled`. The file remains, and no session is added.
    @discardableResult
    public func restore(fromFile path: String, sealedWith secret: Secret) async throws(SecureSocketError) -> Int {
        try await Self.inBackground { () throws(SecureSocketError) in
            try SessionFile(path).claim { bytes throws(SecureSocketError) in
                try self.restore(bytes, sealedWith: secret, of: "the exported sessions \(path.escapedForDisplay)")
            } ?? 0
        }
    }

    /// Runs work that blocks on a thread of its own.
    private static func inBackground(
        _ work: @escaping @Sendable () throws(SecureSocketError) -> Int
    ) async throws(SecureSocketError) -> Int {
        let result = await BlockingWork.run { () -> Result<Int, SecureSocketError> in
            do throws(SecureSocketError) {
                return .success(try work())
            } catch {
                return .failure(error)
            }
        }
        guard let result else { throw .cancelled(.configuring) }
        return try result.get()
    }
}

extension SecureSocketError {
    /// - Parameter name: What was exported or restored.
    fileprivate init(_ error: SessionExportError, of name: String) {
        let (text, advice): (String, String?) =
            switch error {
            case .notAnExport: ("are not an export of a session cache", "Give what `TLSSessionCache.export` has made")
            case .unknownVersion(let version):
                ("are of version \(version), which is not known", "Export them with the same release of the library")
            case .tooLarge(let limit): ("are larger than \(limit >> 20) MiB", "Give what `TLSSessionCache.export` has made")
            case .notAuthentic:
                ("were exported with another secret, or are damaged", "Use the secret of the export, or discard the sessions")
            case .malformed: ("cannot be decoded", "Export them with the same release of the library, or discard them")
            case .library: ("could not be encrypted or decrypted: not enough memory", nil)
            }
        if case .library(let reason) = error {
            self.init(.system, blame: .system, step: .configuring, "\(name) \(text)", libraryReason: reason?.name)
        } else {
            self.init(.invalidConfiguration, blame: .configuration, step: .configuring, "\(name) \(text)", advice: advice)
        }
    }
}
