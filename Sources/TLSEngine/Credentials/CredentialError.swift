#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The reason for which a certificate, a private key or a set of trusted certificates could not be loaded.
package struct CredentialError: Error, Sendable, Hashable {
    /// The item that was to be loaded.
    package enum Item: Sendable, Hashable {
        case certificateChain, privateKey, trustedCertificates
        /// A PKCS#12 archive, which contains a chain and its key.
        case archive
        /// Certificate revocation lists.
        case revocationLists
        /// An OCSP response, which a server sends with its certificate.
        case ocspResponse
        /// A secret from which keys for sessions are derived.
        case ticketSecret
        /// Keys of session tickets.
        case ticketKeys
        /// An export of a client's sessions.
        case sessions
    }

    package enum Problem: Sendable, Hashable {
        // MARK: The file
        /// The operating system refused, with this `errno`.
        case unreadable(errno: Int32)
        /// The path contains a NUL character, at which the operating system would end it.
        case pathWithNUL
        case isDirectory
        /// A device, a pipe or a socket, where only a regular file is read.
        case notRegularFile
        case empty
        /// The file is larger than any file of this kind.
        case tooLarge(limit: Int)
        /// The folder contains more files, or more bytes in all, than a program would load.
        case folderTooLarge(files: Int, bytes: Int)

        /// The program gave an empty list.
        case nothingGiven

        // MARK: Format
        /// The file is in no known format.
        case nothingKnown
        /// The file is in another format than PEM.
        case otherForm(FileForm)
        case malformed(PEMFault)
        /// No block is of the expected kind; these are the labels of the blocks (`PRIVATE KEY`, …).
        case otherBlocks(labels: [String])
        /// A block contains certificates in a form that is not read.
        case blockNotRead(label: String, line: Int)
        /// The private key is in OpenSSH format.
        case openSSHKey(OpenSSHKey)

        // MARK: The content of its blocks
        /// The certificate at this index, in the block that begins on this line of a text, cannot be decoded.
        case malformedCertificate(index: Int, line: Int?, BlockFault, LibraryReason?)
        /// The key, in the block that begins on this line of a text, cannot be decoded.
        case malformedKey(line: Int?, BlockFault, LibraryReason?)
        /// The file is not a PKCS#12 archive, but in this format, if it is known.
        case notAnArchive(FileForm?, isPEM: Bool)
        /// The PKCS#12 archive cannot be decoded, or its encryption is not supported.
        case malformedArchive(LibraryReason?)
        /// The PKCS#12 archive has no private key, or no certificate.
        case archiveWithout(Item)
        /// The algorithm or curve of the key, or of the first certificate's key, is not supported.
        case unsupportedKey(UnsupportedKey)
        case passwordMissing
        case passwordWrong
        /// The password is longer than supported, in bytes.
        case passwordTooLong(limit: Int)
        /// The encryption of the key is not supported.
        case unsupportedEncryption(KeyEncryption)
        /// The key does not belong to the first certificate of the chain.
        case keyMismatch(KeyMismatch)

        // MARK: Revocation lists
        /// There is no list, or the folder has no file.
        case noRevocationList
        case tooManyRevocationLists(limit: Int)
        /// The list at this index, in the block that begins on this line of a text, cannot be decoded.
        case malformedRevocationList(index: Int, line: Int?, BlockFault, LibraryReason?)
        /// The list at this index has a property that is not supported.
        case unsupportedRevocationList(index: Int, line: Int?, RevocationListFeature, issuer: String)

        // MARK: OCSP responses
        /// The identity has no certificate that the response could be about.
        case responseWithoutCertificate
        /// The response does not show that the certificate with this subject is good.
        case unusableResponse(OCSPResponseFault, subject: String)

        // MARK: Suitability of the certificates
        /// An extension of the first certificate cannot be decoded.
        case malformedExtension(subject: String)
        /// The first certificate's key usage does not allow signing handshakes.
        case keyUsage(KeyUsage, subject: String)
        /// The certificate at this index is too weak.
        case weak(CertificateWeakness, index: Int, subject: String)
        /// The library refuses the certificate.
        case refused(LibraryReason?)
        /// None of the files and folders that may contain trusted certificates contains any. Some folders could not be read.
        case nowhereFound([UnreadableFolder])
    }

    /// A folder that cannot be read, and the `errno` for it.
    package struct UnreadableFolder: Sendable, Hashable {
        package let path: String
        package let errno: Int32
    }

    package let item: Item
    /// The file's path; nil where bytes were given.
    package let path: String?
    package let problem: Problem
    /// The environment variable that the path comes from, if any.
    package private(set) var variable: String?

    init(item: Item, path: String?, problem: Problem) {
        self.item = item
        self.path = path
        self.problem = problem
    }

    /// Returns the same error for a path that comes from an environment variable.
    func from(_ variable: String) -> CredentialError {
        var error = self
        error.variable = variable
        return error
    }

    /// Whether the cause is a resource limit of the process or the system.
    var isAboutResources: Bool {
        if case .unreadable(let number) = self.problem { [EMFILE, ENFILE, ENOMEM].contains(number) } else { false }
    }
}

/// The reason why the content of a PEM block cannot be decoded.
package enum BlockFault: Sendable, Hashable {
    /// The content ends early.
    case endsEarly(missing: Int)
    /// The content is of another kind than the label says.
    case holds(FileForm)
    case damaged

    /// - Parameter expected: Whether a form is the one that the label says.
    init(of content: [UInt8], expected: (FileForm) -> Bool) {
        var reader = DERReader(content[...])
        let form = FileForm.der(content[...])
        if let form, form != .otherDER, !expected(form) {
            self = .holds(form)
        } else if let element = reader.next(), element.missing > 0, form != nil {
            self = .endsEarly(missing: element.missing)
        } else {
            self = .damaged
        }
    }
}
