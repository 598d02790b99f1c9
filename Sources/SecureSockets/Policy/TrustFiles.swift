import TLSEngine

/// The files of trusted certificates and revocation lists. ``TLSFiles`` and ``TLSTrustFiles`` have them.
struct TrustFiles: Sendable {
    /// The path of the trusted certificates in PEM; nil if there are none.
    let certificates: String?
    /// The path of a file or a folder of revocation lists; nil if there are none.
    let revocationLists: String?

    var paths: [String] { [self.certificates, self.revocationLists].compactMap(\.self) }

    /// The contents of the files at one time.
    struct Reading: Sendable {
        fileprivate let certificates: FileContent?
        fileprivate let revocationLists: [FileContent]
        fileprivate let pathOfLists: String?

        var files: [FileContent] { [self.certificates].compactMap(\.self) + self.revocationLists }
    }

    /// What was loaded, with the contents from which it was.
    struct Loaded: Sendable {
        fileprivate(set) var certificates: TLSTrust?
        fileprivate(set) var lists: RevocationLists?
        fileprivate(set) var digestOfCertificates: ContentDigest?
        fileprivate(set) var digestOfLists: ContentDigest?

        /// The trust that refuses what the lists revoke.
        var trust: TLSTrust? {
            guard let lists else { return self.certificates }
            return self.certificates?.checkingRevocation(with: lists)
        }

        /// Whether both were loaded from the same contents.
        func isSame(as other: Loaded) -> Bool {
            self.digestOfCertificates == other.digestOfCertificates && self.digestOfLists == other.digestOfLists
        }
    }

    /// Reads all files. Blocks.
    func read() -> Reading {
        Reading(
            certificates: self.certificates.map { FileContent(reading: $0, as: .trustedCertificates) },
            revocationLists: self.revocationLists.map { FileContent.contents(ofFileOrFolder: $0, as: .revocationLists) } ?? [],
            pathOfLists: self.revocationLists)
    }
}

extension TrustFiles.Reading {
    /// Loads all contents.
    func load() throws(SecureSocketError) -> TrustFiles.Loaded {
        var loaded = TrustFiles.Loaded()
        try self.loadCertificates(into: &loaded)
        try self.loadLists(into: &loaded)
        return loaded
    }

    /// Loads what can be used of the contents, and the rest from the former ones.
    ///
    /// - Parameter problems: The errors for what cannot be used are added to it.
    func load(
        orKeeping former: TrustFiles.Loaded?, _ problems: inout [SecureSocketError]
    ) throws(SecureSocketError) -> TrustFiles.Loaded {
        var loaded = TrustFiles.Loaded()
        do throws(SecureSocketError) {
            try self.loadCertificates(into: &loaded)
        } catch {
            // A former value without trusted certificates would not verify peers at all.
            guard let former, former.certificates != nil else { throw error }
            problems.append(error)
            loaded.certificates = former.certificates
            loaded.digestOfCertificates = former.digestOfCertificates
        }
        do throws(SecureSocketError) {
            try self.loadLists(into: &loaded)
        } catch {
            guard let former, former.lists != nil else { throw error }
            problems.append(error)
            loaded.lists = former.lists
            loaded.digestOfLists = former.digestOfLists
        }
        return loaded
    }

    private func loadCertificates(into loaded: inout TrustFiles.Loaded) throws(SecureSocketError) {
        guard let file = self.certificates else { return }
        loaded.certificates = try .only(file.source)
        loaded.digestOfCertificates = ContentDigest(of: [file])
    }

    private func loadLists(into loaded: inout TrustFiles.Loaded) throws(SecureSocketError) {
        guard let path = self.pathOfLists else { return }
        var lists: RevocationLists?
        for file in self.revocationLists {
            let more = try RevocationLists(file.source)
            lists = try lists?.adding(more) ?? more
        }
        guard let lists else {
            throw SecureSocketError(
                .trustUnusable, blame: .configuration, step: .configuring, "\(path.escapedForDisplay) has no revocation list",
                advice: "Put the lists of the authorities there before the server starts")
        }
        loaded.lists = lists
        loaded.digestOfLists = ContentDigest(of: self.revocationLists)
    }
}
