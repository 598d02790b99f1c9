import TLSEngine

extension TLSConfiguration {
    /// Settings as options give them: paths and numbers, and any of them may be missing.
    package struct Files: Sendable {
        package var certificate: String?
        /// nil: the certificate's file.
        package var key: String?
        package var password: String?
        /// nil: the system's, if anything is to be verified.
        package var trust: String?
        /// Whether a certificate of the peer is verified: 0 no, 1 if it gives one, 2 it has to give one.
        package var verify = 0
        package var depth = 1
        package var ciphers: String?
        /// Seconds; 0: no resumption, nil: the library's.
        package var sessionLifetime: Int?

        package init() {}
    }

    package static func client(_ files: Files) throws(SecureSocketError) -> TLSConfiguration {
        try Self.load(files, .client)
    }

    package static func server(_ files: Files) throws(SecureSocketError) -> TLSConfiguration {
        try Self.load(files, .server)
    }

    /// The order decides which of several faults is reported: trust, certificate, key, whether they match, ciphers.
    private static func load(_ files: Files, _ role: TLSSettings.Role) throws(SecureSocketError) -> TLSConfiguration {
        var settings = TLSSettings(role: role)
        if let trust = files.trust {
            settings.trust = try TLSTrust.pem(trust).load()
        } else if files.verify > 0 {
            settings.trust = try TLSTrust.system.load()
        }
        // A key without a certificate is legal, and read as well.
        if let key = files.key ?? files.certificate {
            settings.identity = try TLSIdentity(
                chain: files.certificate.map { .file(path: $0) }, privateKey: .file(path: key), password: files.password
            ).identity
        }
        settings.verification =
            switch (files.verify, role) {
            case (0, _): .none
            case (1, .server): .ifGiven
            default: .required
            }
        settings.depth = files.depth
        settings.ciphers = files.ciphers.map { .lenient($0) } ?? .library
        if let lifetime = files.sessionLifetime {
            settings.sessionLifetime = lifetime == 0 ? .none : .seconds(UInt32(clamping: lifetime))
        }
        return try TLSConfiguration(
            settings: settings, verification: files.verify == 0 ? .dangerouslyNone : .chainOnly)
    }
}
