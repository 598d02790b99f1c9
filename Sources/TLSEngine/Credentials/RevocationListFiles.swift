extension RevocationListStore {
    /// Loads all lists of a file or of its contents, which are PEM, or one list in DER. At most 16 MiB.
    package convenience init(_ source: PEMInput) throws(CredentialError) {
        try self.init(Self.lists(of: source), path: source.path)
    }

    /// Loads all regular files of a folder in the order of their names, without hidden ones; a pipe would block. A file that is not a
    /// revocation list is an error.
    package convenience init(folder: String) throws(CredentialError) {
        var lists: [RevocationList] = []
        for path in try Self.paths(in: folder) {
            let file = FileContent(reading: path, as: .revocationLists)
            if case .failure(let error) = file.result, [.isDirectory, .notRegularFile].contains(error.problem) { continue }
            lists += try Self.lists(of: file.input)
            // Checked here too, to bound the memory that a large folder takes.
            if lists.count > Self.most { break }
        }
        try self.init(lists, path: folder)
    }

    /// Decodes lists in DER.
    package convenience init(der lists: [[UInt8]]) throws(CredentialError) {
        var decoded: [RevocationList] = []
        for bytes in lists { decoded.append(try Self.list(der: bytes, index: decoded.count, line: nil, path: nil)) }
        try self.init(decoded, path: nil)
    }

    private static func lists(of source: PEMInput) throws(CredentialError) -> [RevocationList] {
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: .revocationLists, path: source.path, problem: problem)
        }
        let bytes = try source.load(.revocationLists)
        if FileForm.recognized(in: bytes) == .revocationList {
            return [try Self.list(der: bytes, index: 0, line: nil, path: source.path)]
        }
        let text = try PEMText.load(bytes, path: source.path, as: .revocationLists)
        var lists: [RevocationList] = []
        // Blocks of other kinds, such as certificates, are skipped.
        for block in text.blocks where block.label == "X509 CRL" {
            // Its errors have line numbers.
            do { _ = try block.text() } catch { throw failure(.malformed(error)) }
            let content = block.content() ?? []
            lists.append(try Self.list(der: content, index: lists.count, line: block.line, path: source.path))
        }
        if lists.isEmpty { throw failure(.otherBlocks(labels: text.labels)) }
        return lists
    }

    private static func list(
        der bytes: [UInt8], index: Int, line: Int?, path: String?
    ) throws(CredentialError) -> RevocationList {
        do throws(RevocationList.Fault) {
            return try RevocationList(der: bytes)
        } catch {
            let problem: CredentialError.Problem =
                switch error {
                case .malformed(let reason):
                    .malformedRevocationList(index: index, line: line, BlockFault(of: bytes) { $0 == .revocationList }, reason)
                case .unsupported(let feature, let issuer):
                    .unsupportedRevocationList(index: index, line: line, feature, issuer: issuer)
                }
            throw CredentialError(item: .revocationLists, path: path, problem: problem)
        }
    }

    /// The greatest number of files that are read from a folder.
    private static var mostFiles: Int { Self.most }

    private static func paths(in folder: String) throws(CredentialError) -> [String] {
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: .revocationLists, path: folder, problem: problem)
        }
        // The operating system would end the path at the NUL character and open another folder.
        if folder.utf8.contains(0) { throw failure(.pathWithNUL) }
        let names: [String]
        do {
            names = try FolderListing.names(in: folder, most: Self.mostFiles)
        } catch {
            switch error {
            case .unreadable(let number): throw failure(.unreadable(errno: number))
            case .tooMany: throw failure(.tooManyRevocationLists(limit: Self.most))
            }
        }
        return names.map { "\(folder)/\($0)" }
    }
}
