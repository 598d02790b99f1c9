import Foundation
import TestSupport
import Testing

@testable import TLSEngine

@Suite(.timeLimit(.minutes(5))) struct `The content of a file` {
    private let folder: TemporaryDirectory

    init() throws { self.folder = try TemporaryDirectory() }

    private func read(_ path: String) -> Result<[UInt8], CredentialError> {
        FileContent(reading: path, as: .certificateChain).result
    }

    private func problem(_ path: String) -> CredentialError.Problem? {
        if case .failure(let error) = self.read(path) { error.problem } else { nil }
    }

    @Test func `is what was written, also through a link`() throws {
        let path = try self.folder.write("abc", to: "file")
        try FileManager.default.createSymbolicLink(atPath: self.folder.path(of: "link"), withDestinationPath: "file")
        #expect(try self.read(path).get() == Array("abc".utf8))
        #expect(try self.read(self.folder.path(of: "link")).get() == Array("abc".utf8))
    }

    @Test func `may be empty, or as large as the limit, but not larger`() throws {
        let path = try self.folder.write("", to: "file")
        #expect(try self.read(path).get().isEmpty)
        #expect(truncate(path, off_t(PEMInput.limit)) == 0)
        #expect(try self.read(path).get().count == PEMInput.limit)
        #expect(truncate(path, off_t(PEMInput.limit + 1)) == 0)
        #expect(self.problem(path) == .tooLarge(limit: PEMInput.limit))
    }

    @Test func `is that of regular files only, and a pipe without a writer does not block`() throws {
        let pipe = self.folder.path(of: "pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(self.problem(pipe) == .notRegularFile)
        #expect(self.problem("/dev/zero") == .notRegularFile)
        #expect(self.problem(self.folder.path) == .isDirectory)
    }

    @Test func `cannot be read through a link to itself, or at a path with a NUL character`() throws {
        let link = self.folder.path(of: "link")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "link")
        #expect(self.problem(link) == .unreadable(errno: ELOOP))
        #expect(self.problem("\(link)\0") == .pathWithNUL)
    }

    // MARK: Folders

    private func names(in path: String) -> [String] {
        FileContent.contents(ofFileOrFolder: path, as: .revocationLists).map {
            $0.path.split(separator: "/").last.map(String.init) ?? ""
        }
    }

    @Test func `of a folder is that of its files, in the order of their names, without hidden files and folders`() throws {
        for name in ["b", "a", ".hidden"] { _ = try self.folder.write(name, to: name) }
        _ = try self.folder.makeFolder("c")
        #expect(mkfifo(self.folder.path(of: "d"), 0o600) == 0)
        #expect(self.names(in: self.folder.path) == ["a", "b"])
        #expect(self.names(in: self.folder.path(of: "b")) == ["b"])
    }

    @Test func `of a folder with too many files is an error`() throws {
        for index in 0..<FileContent.filesPerFolder { _ = try self.folder.write("", to: "\(index)") }
        let problems = {
            FileContent.contents(ofFileOrFolder: self.folder.path, as: .revocationLists).compactMap { file in
                if case .failure(let error) = file.result { error.problem } else { nil }
            }
        }
        #expect(problems() == [])
        _ = try self.folder.write("", to: "one-more")
        #expect(problems() == [.folderTooLarge(files: 1024, bytes: 64 << 20)])
    }

    @Test func `of a folder with too many bytes is an error`() throws {
        for index in 0..<5 {
            let path = try self.folder.write("", to: "\(index)")
            // Takes no space: nothing is written.
            #expect(truncate(path, off_t(PEMInput.limit)) == 0)
        }
        let files = FileContent.contents(ofFileOrFolder: self.folder.path, as: .revocationLists)
        #expect(files.map(\.path) == [self.folder.path])
        #expect(throws: CredentialError.self) { try files.first?.input }
    }

    // MARK: Digests

    @Test func `has a digest that tells contents, errors, paths and their order apart`() throws {
        let (a, b) = (try self.folder.write("ab", to: "a"), try self.folder.write("c", to: "b"))
        func digest(_ paths: [String]) -> ContentDigest {
            ContentDigest(of: paths.map { FileContent(reading: $0, as: .certificateChain) })
        }
        var digests: Set = [digest([a, b]), digest([b, a]), digest([a]), digest([])]
        #expect(digests.count == 4)
        #expect(digests.contains(digest([a, b])))
        // The same bytes, divided in another way.
        _ = try self.folder.write("a", to: "a")
        _ = try self.folder.write("bc", to: "b")
        digests.insert(digest([a, b]))
        try FileManager.default.removeItem(atPath: b)
        digests.insert(digest([a, b]))
        _ = try self.folder.makeFolder("b")
        digests.insert(digest([a, b]))
        #expect(digests.count == 7)
    }

    @Test func `has a digest that a file cannot imitate by containing the path and the content of another`() throws {
        let (a, b) = (try self.folder.write("1", to: "a"), try self.folder.write("2", to: "b"))
        func digest(_ paths: [String]) -> ContentDigest {
            ContentDigest(of: paths.map { FileContent(reading: $0, as: .certificateChain) })
        }
        let both = digest([a, b])
        _ = try self.folder.write(Array("1\(b)".utf8) + [1] + Array("2".utf8), to: "a")
        #expect(digest([a]) != both)
    }
}
