#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Why a certificate, a private key or a set of trusted certificates could not be loaded.
package struct CredentialError: Error, Sendable, Hashable {
    /// What was to be loaded.
    package enum Item: Sendable, Hashable {
        case certificateChain, privateKey, trustedCertificates
    }

    package enum Problem: Sendable, Hashable {
        // MARK: The file
        /// The operating system refused, with this `errno`.
        case unreadable(errno: Int32)
        /// The path has a NUL character, where the operating system would end it.
        case pathWithNUL
        case isDirectory
        case empty
        /// Larger than any file of this kind is.
        case tooLarge(limit: Int)

        // MARK: Its form
        /// There is no PEM block, and nothing else that is known.
        case nothingKnown
        /// There is no PEM block, but this.
        case otherForm(FileForm)
        case malformed(PEMFault)
        /// There is no block of the wanted kind; these are the labels of those that there are (`PRIVATE KEY`, …).
        case otherBlocks(labels: [String])
        /// Certificates in a block that is not read, beside others that are.
        case blockNotRead(label: String, line: Int)
        /// OpenSSH's own form of a private key.
        case openSSHKey(OpenSSHKey)

        // MARK: What the blocks hold
        /// The `index`-th certificate of the file, from 0, in the block that begins in this line.
        case malformedCertificate(index: Int, line: Int, BlockFault, LibraryReason?)
        /// The key in the block that begins in this line.
        case malformedKey(line: Int, BlockFault, LibraryReason?)
        /// The key, or the certificate's key, is of a kind that cannot be used.
        case unsupportedKey(UnsupportedKey)
        case passwordMissing
        case passwordWrong
        /// Longer than the library takes, in bytes.
        case passwordTooLong(limit: Int)
        /// The key is encrypted in a way that cannot be read.
        case unsupportedEncryption(KeyEncryption)
        /// The key does not belong to the first certificate of the chain.
        case keyMismatch(KeyMismatch)

        // MARK: What the certificates are good for
        /// The first certificate's key may not sign handshakes.
        case keyUsage(KeyUsage, subject: String)
        /// The certificate at this index, from 0, is too weak to be relied on.
        case weak(CertificateWeakness, index: Int, subject: String)
        /// The library refuses the certificate.
        case refused(LibraryReason?)
        /// None of the places where trusted certificates are looked for has any. For the folders among them that cannot be read,
        /// why.
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
    /// The environment variable that the path comes from; nil for any other path.
    package private(set) var variable: String?

    init(item: Item, path: String?, problem: Problem) {
        self.item = item
        self.path = path
        self.problem = problem
    }

    /// The same for a path that comes from this environment variable.
    func from(_ variable: String) -> CredentialError {
        var error = self
        error.variable = variable
        return error
    }

    /// Whether the cause is a limit of the process or of the system, and not the file.
    var isAboutResources: Bool {
        if case .unreadable(let number) = self.problem { [EMFILE, ENFILE, ENOMEM].contains(number) } else { false }
    }
}

/// What is wrong with the content of a PEM block.
package enum BlockFault: Sendable, Hashable {
    /// Its last bytes are missing.
    case endsEarly(missing: Int)
    /// It holds something else than its label says.
    case holds(FileForm)
    case damaged

    /// - Parameter expected: What the label says.
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
