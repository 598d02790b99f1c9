import TLSEngine

extension TLSFiles {
    /// The files of one identity: a certificate chain with its private key, and optionally an OCSP response.
    public struct IdentityFiles: Sendable {
        fileprivate enum Form {
            case pem(certificateChain: String, privateKey: String, password: String?)
            case pkcs12(archive: String, password: String)
        }

        private let form: Form
        private let ocspResponse: String?

        /// Creates the description of PEM files.
        ///
        /// - Parameters:
        ///   - certificateChain: The path of the certificates in PEM.
        ///   - privateKey: The path of the private key in PEM. It may be the same as that of the chain.
        ///   - ocspResponse: The path of an OCSP response in DER, which a server sends with the certificate. Default: nil; there is none.
        ///   - password: The password of an encrypted key; ignored for keys that are not encrypted.
        public init(certificateChain: String, privateKey: String, ocspResponse: String? = nil, password: String? = nil) {
            self.form = .pem(certificateChain: certificateChain, privateKey: privateKey, password: password)
            self.ocspResponse = ocspResponse
        }

        /// Creates the description of a PKCS#12 archive (RFC 7292).
        ///
        /// - Parameters:
        ///   - archive: The path of the archive.
        ///   - password: The archive's password, which may be empty.
        ///   - ocspResponse: The path of an OCSP response in DER. Default: nil; there is none.
        public init(pkcs12 archive: String, password: String, ocspResponse: String? = nil) {
            self.form = .pkcs12(archive: archive, password: password)
            self.ocspResponse = ocspResponse
        }

        var paths: [String] {
            let identity =
                switch self.form {
                case .pem(let certificateChain, let privateKey, _): [certificateChain, privateKey]
                case .pkcs12(let archive, _): [archive]
                }
            return identity + [self.ocspResponse].compactMap(\.self)
        }
    }
}

extension TLSFiles.IdentityFiles: CustomStringConvertible, CustomReflectable {
    /// The paths of the files. The password is omitted.
    public var description: String { self.paths.map(\.escapedForDisplay).joined(separator: ", ") }

    /// The paths of the files, so that `dump` does not print the password.
    public var customMirror: Mirror { Mirror(self, unlabeledChildren: self.paths) }
}

// MARK: Reading

/// An identity and the contents from which it was loaded.
struct LoadedIdentity: Sendable {
    let identity: TLSIdentity
    /// Of the chain and the key.
    let digestOfPair: ContentDigest
    /// Of all contents that are used.
    let digest: ContentDigest

    /// The reason not to replace another identity by this one: its certificate is new, and not valid at this time. nil if there is none.
    func problem(replacing former: LoadedIdentity) -> SecureSocketError? {
        guard self.digestOfPair != former.digestOfPair else { return nil }
        return self.identity.identity.certificates.first?.problemOfDates(at: TLSSettings(role: .server).currentTime)
    }
}

extension TLSFiles.IdentityFiles {
    /// The contents of the files at one time.
    struct Reading: Sendable {
        fileprivate enum Form {
            case pem(certificateChain: FileContent, privateKey: FileContent, password: String?)
            case pkcs12(archive: FileContent, password: String)
        }

        fileprivate let form: Form
        fileprivate let ocspResponse: FileContent?

        fileprivate var pair: [FileContent] {
            switch self.form {
            case .pem(let certificateChain, let privateKey, _): [certificateChain, privateKey]
            case .pkcs12(let archive, _): [archive]
            }
        }

        var files: [FileContent] { self.pair + [self.ocspResponse].compactMap(\.self) }
    }

    /// Reads all files. Blocks.
    func read() -> Reading {
        let form: Reading.Form =
            switch self.form {
            case .pem(let certificateChain, let privateKey, let password):
                .pem(
                    certificateChain: FileContent(reading: certificateChain, as: .certificateChain),
                    privateKey: FileContent(reading: privateKey, as: .privateKey), password: password)
            case .pkcs12(let archive, let password):
                .pkcs12(archive: FileContent(reading: archive, as: .archive), password: password)
            }
        return Reading(form: form, ocspResponse: self.ocspResponse.map { FileContent(reading: $0, as: .ocspResponse) })
    }
}

extension TLSFiles.IdentityFiles.Reading {
    /// Loads all contents.
    func load(allowing legacy: LegacyCertificates) throws(SecureSocketError) -> LoadedIdentity {
        let pair = try self.loadPair(allowing: legacy)
        guard let response = self.ocspResponse else { return pair }
        let identity = try pair.identity.stapling(ocspResponse: response.source, allowing: legacy)
        return LoadedIdentity(identity: identity, digestOfPair: pair.digestOfPair, digest: ContentDigest(of: self.files))
    }

    private func loadPair(allowing legacy: LegacyCertificates) throws(SecureSocketError) -> LoadedIdentity {
        let identity =
            switch self.form {
            case .pem(let certificateChain, let privateKey, let password):
                try TLSIdentity(
                    certificateChain: certificateChain.source, privateKey: privateKey.source, password: password, allowing: legacy
                )
            case .pkcs12(let archive, let password):
                try TLSIdentity(pkcs12: archive.source, password: password, allowing: legacy)
            }
        let digest = ContentDigest(of: self.pair)
        return LoadedIdentity(identity: identity, digestOfPair: digest, digest: digest)
    }

    /// Loads what can be used of the contents, and otherwise returns the former identity.
    ///
    /// - Parameter problems: The errors for what cannot be used are added to it.
    func load(
        allowing legacy: LegacyCertificates, orKeeping former: LoadedIdentity?, _ problems: inout [SecureSocketError]
    ) throws(SecureSocketError) -> LoadedIdentity {
        do throws(SecureSocketError) {
            let loaded = try self.load(allowing: legacy)
            guard let former, let problem = loaded.problem(replacing: former) else { return loaded }
            problems.append(problem)
            return former
        } catch {
            let usable = try self.usablePart(allowing: legacy, orKeeping: former, insteadOf: error)
            problems.append(error)
            return usable
        }
    }

    private func usablePart(
        allowing legacy: LegacyCertificates, orKeeping former: LoadedIdentity?, insteadOf error: SecureSocketError
    ) throws(SecureSocketError) -> LoadedIdentity {
        if self.ocspResponse != nil, let pair = try? self.loadPair(allowing: legacy) {
            // The former response about the same certificate is not sent any longer than it is valid.
            if let former, former.digestOfPair == pair.digestOfPair { return former }
            if !pair.identity.identity.requiresStapledResponse { return pair }
        }
        guard let former else { throw error }
        return former
    }
}

extension FileContent {
    /// The content as a source for loading, or the error for a file that could not be read.
    var source: CredentialSource {
        get throws(SecureSocketError) {
            do {
                return CredentialSource(try self.input)
            } catch {
                throw SecureSocketError(error)
            }
        }
    }
}
