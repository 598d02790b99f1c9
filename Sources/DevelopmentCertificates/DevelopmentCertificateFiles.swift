extension DevelopmentCertificates {
    /// A file that was written.
    package struct WrittenFile: Sendable, Hashable {
        /// The purpose of the file. The raw value is the file's name.
        package enum Role: String, Sendable, CaseIterable {
            /// The authority's certificate, to be trusted by peers.
            case authority = "ca.pem"
            /// The authority's key, for issuing more certificates.
            case authorityKey = "ca-key.pem"
            /// The server's certificate, leaf first, and the chain above it.
            case server = "server.pem"
            /// The server's key.
            case serverKey = "server-key.pem"
            /// The client's certificate, leaf first, and the chain above it.
            case client = "client.pem"
            /// The client's key.
            case clientKey = "client-key.pem"

            /// Whether only the owner may read the file.
            package var isPrivate: Bool {
                switch self {
                case .authority, .server, .client: false
                case .authorityKey, .serverKey, .clientKey: true
                }
            }
        }

        /// The purpose of the file.
        package let role: Role
        /// The file's path: the directory as given, and the name.
        package let path: String
    }

    /// Returns the path of a file in `directory`.
    package static func path(of role: WrittenFile.Role, in directory: String) -> String {
        let directory = directory.isEmpty ? "." : directory
        return directory.hasSuffix("/") ? directory + role.rawValue : directory + "/" + role.rawValue
    }

    /// Creates certificates and writes them into `directory`, which is created if it does not exist.
    ///
    /// Nothing is written if one of the files exists and `force` is not set, or if creating the certificates fails. Keys are readable only
    /// by the owner from the moment their files exist.
    ///
    /// - Parameter encryptKey: Encrypts a PKCS#8 PEM; nil leaves keys unencrypted.
    /// - Returns: The files in the order of ``WrittenFile/Role``.
    @discardableResult
    package static func write(
        to directory: String,
        options: Options = Options(),
        force: Bool = false,
        encryptKey: ((String) throws -> String)? = nil
    ) throws(DevelopmentCertificateError) -> [WrittenFile] {
        // Checked before the keys are created, and again, without a race, when each file is created.
        try Self.checkTargets(in: directory, force: force)
        return try DevelopmentCertificates(options).write(to: directory, force: force, encryptKey: encryptKey)
    }

    /// Writes these certificates into `directory`; see ``write(to:options:force:encryptKey:)``.
    @discardableResult
    package func write(
        to directory: String,
        force: Bool = false,
        encryptKey: ((String) throws -> String)? = nil
    ) throws(DevelopmentCertificateError) -> [WrittenFile] {
        try Self.checkTargets(in: directory, force: force)

        var files = NewFiles(replacing: force)
        var written: [WrittenFile] = []
        var contents: [String] = []
        for role in WrittenFile.Role.allCases {
            let file = WrittenFile(role: role, path: Self.path(of: role, in: directory))
            var text = self.text(of: role)
            if role.isPrivate, let encryptKey {
                do {
                    text = try encryptKey(text)
                } catch {
                    throw .cannotEncryptKey(path: file.path, reason: String(describing: error))
                }
            }
            written.append(file)
            contents.append(text)
        }

        try NewFiles.makeDirectory(directory.isEmpty ? "." : directory)
        do {
            for (file, text) in zip(written, contents) {
                try files.add(file.path, text, mode: file.role.isPrivate ? 0o600 : 0o644)
            }
            try files.finish()
        } catch {
            files.discard()
            throw error
        }
        return written
    }

    private static func checkTargets(
        in directory: String, force: Bool
    ) throws(DevelopmentCertificateError) {
        for role in WrittenFile.Role.allCases {
            try NewFiles.check(Self.path(of: role, in: directory), replacing: force)
        }
    }

    private func text(of role: WrittenFile.Role) -> String {
        switch role {
        case .authority: self.authority.certificatePEM
        case .authorityKey: self.authority.privateKeyPEM
        case .server: self.server.certificateChainPEM
        case .serverKey: self.server.privateKeyPEM
        case .client: self.client.certificateChainPEM
        case .clientKey: self.client.privateKeyPEM
        }
    }
}
