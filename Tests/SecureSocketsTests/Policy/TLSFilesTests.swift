import DevelopmentCertificates
import Foundation
import Logging
import NIOCore
import SecureSockets
import Synchronization
import TLSEngine
import TestSupport
import Testing

/// Loading files once, following them in a task, and the log.
@Suite(.timeLimit(.minutes(5))) struct `Files of certificates` {
    private let folder: TemporaryDirectory
    private let authority: CertificateAuthority
    private let files: TLSFiles

    init() throws {
        self.folder = try TemporaryDirectory()
        self.authority = try CertificateAuthority.root()
        self.files = TLSFiles(
            certificateChain: self.folder.path(of: "tls.crt"), privateKey: self.folder.path(of: "tls.key"))
        try self.write("first")
    }

    private func write(_ name: String) throws {
        let identity = try self.authority.issue(commonName: name)
        _ = try self.folder.write(identity.certificateChainPEM, to: "tls.crt")
        _ = try self.folder.write(identity.privateKeyPEM, to: "tls.key")
    }

    // MARK: Loading once

    @Test func `are loaded at once`() throws {
        let snapshot = try self.files.load()
        #expect(snapshot.identity.certificates.map(\.subject) == ["CN=first"])
        #expect(snapshot.clientTrust == nil)
    }

    @Test func `may be one file for both the chain and the key`() throws {
        let identity = try self.authority.issue(commonName: "both")
        let path = try self.folder.write(identity.privateKeyPEM + identity.certificateChainPEM, to: "both.pem")
        let snapshot = try TLSFiles(certificateChain: path, privateKey: path).load()
        #expect(snapshot.identity.certificates.map(\.subject) == ["CN=both"])
    }

    @Test func `that are missing are an error at once`() throws {
        try FileManager.default.removeItem(atPath: self.folder.path(of: "tls.key"))
        let error = try #require(throws: SecureSocketError.self) { try self.files.load() }
        error.expectConfiguration(
            .privateKeyUnusable,
            "private key \(self.folder.path(of: "tls.key")): cannot be read: No such file or directory. "
                + "Check the path and its permissions")
    }

    @Test func `may have an encrypted key, whose password is not shown`() throws {
        let identity = try self.authority.issue(commonName: "first")
        _ = try self.folder.write(identity.certificateChainPEM, to: "tls.crt")
        let key = try PrivateKeyPEM.encrypted(identity.privateKeyPEM, password: "correct horse")
        _ = try self.folder.write(key, to: "tls.key")
        let files = TLSFiles(
            certificateChain: self.folder.path(of: "tls.crt"), privateKey: self.folder.path(of: "tls.key"),
            password: "correct horse")
        #expect(try files.load().identity.certificates.count == 1)
        var dumped = ""
        dump(files, to: &dumped)
        for text in ["\(files)", String(reflecting: files), dumped] {
            #expect(text.contains("tls.key"))
            #expect(!text.contains("correct horse"))
        }
        let error = try #require(throws: SecureSocketError.self) { try self.files.load() }
        #expect(error.code == .privateKeyUnusable)
    }

    // MARK: Following

    /// Follows the files on a clock that the test turns, until the dialogue is over.
    private func follow(
        from snapshot: TLSFiles.Snapshot?, logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ dialogue: (SteppedClock, _ used: @Sendable () -> [String]) async throws -> Void
    ) async throws {
        let clock = SteppedClock()
        let used = Mutex<[String]>([])
        let task = Task { [files] in
            try await files.follow(
                every: .seconds(10), startingFrom: snapshot, on: clock, logger: logger,
                report: { event in used.withLock { $0.append("\(event.kind)") } }
            ) { snapshot in used.withLock { $0.append(snapshot.identity.certificates.first?.subject ?? "none") } }
        }
        try await dialogue(clock) { used.withLock { $0 } }
        task.cancel()
        try await task.value
    }

    @Test func `are passed to the program first, unless they are in use already`() async throws {
        try await self.follow(from: nil) { clock, used in
            #expect(await clock.nextSleep() == .seconds(1))
            #expect(used() == [])
            clock.wake()
            #expect(await clock.nextSleep() == .seconds(10))
            #expect(used() == ["CN=first", "loaded"])
        }
        try await self.follow(from: self.files.load()) { clock, used in
            #expect(await clock.nextSleep() == .seconds(10))
            clock.wake()
            #expect(await clock.nextSleep() == .seconds(10))
            #expect(used() == [])
        }
    }

    @Test func `are read at every interval, and again a second after a change`() async throws {
        try await self.follow(from: self.files.load()) { clock, used in
            #expect(await clock.nextSleep() == .seconds(10))
            try self.write("second")
            clock.wake()
            #expect(await clock.nextSleep() == .seconds(1))
            clock.wake()
            #expect(await clock.nextSleep() == .seconds(10))
            #expect(used() == ["CN=second", "loaded"])
            try self.write("third")
            clock.wake()
            #expect(await clock.nextSleep() == .seconds(1))
            clock.wake()
            #expect(await clock.nextSleep() == .seconds(10))
            #expect(used() == ["CN=second", "loaded", "CN=third", "loaded"])
        }
    }

    @Test func `are no longer followed after cancellation, also while the program uses them`() async throws {
        let (entered, entrance) = AsyncStream.makeStream(of: Void.self)
        let (silence, speaker) = AsyncStream.makeStream(of: Void.self)
        let clock = SteppedClock()
        let reports = Mutex<[String]>([])
        let task = Task { [files] in
            try await files.follow(
                every: .seconds(10), startingFrom: nil, on: clock, logger: Logger(label: "test"),
                report: { event in reports.withLock { $0.append("\(event)") } }
            ) { _ in
                entrance.yield()
                // Only cancellation ends this stream.
                for await _ in silence {}
                throw CancellationError()
            }
        }
        #expect(await clock.nextSleep() == .seconds(1))
        clock.wake()
        for await _ in entered { break }
        task.cancel()
        try await task.value
        #expect(reports.withLock { $0 } == [])
        speaker.finish()
    }

    @Test func `are not followed at intervals under 100 milliseconds`() async throws {
        let error = await #expect(throws: SecureSocketError.self) {
            try await self.files.follow(every: .milliseconds(99)) { _ in }
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message == "the interval between polls is 99 ms; it must be at least 100 ms")
    }

    // MARK: The log

    @Test func `are logged with fingerprint, validity and problems, but without keys`() async throws {
        let log = LogCapture()
        let first = try self.files.load()
        try await self.follow(from: first, logger: log.logger) { clock, _ in
            func polls(_ count: Int) async {
                for _ in 0..<count {
                    clock.wake()
                    _ = await clock.nextSleep()
                }
            }
            _ = await clock.nextSleep()
            try self.write("second")
            await polls(2)
            try FileManager.default.removeItem(atPath: self.folder.path(of: "tls.key"))
            await polls(4)
            try self.write("third")
            await polls(2)
        }
        let fingerprint = try #require(try self.files.load().identity.certificates.first?.sha256Fingerprint)
        #expect(log.lines.map(\.level) == [.notice, .debug, .warning, .notice, .notice])
        #expect(
            log.lines.last?.text.hasPrefix("changed certificate files were loaded sha256=\(fingerprint) validUntil=20") ?? false)
        #expect(
            log.lines.map(\.text)[2]
                == "certificate files cannot be loaded; what was loaded before remains in use in their place "
                + "error=private key \(self.folder.path(of: "tls.key")): cannot be read: No such file or directory. "
                + "Check the path and its permissions")
        let key = try String(contentsOfFile: self.folder.path(of: "tls.key"), encoding: .utf8)
        for line in key.split(separator: "\n") { #expect(!log.lines.contains { $0.text.contains(line) }) }
    }

    @Test func `are logged again after an hour if a problem lasts`() {
        let log = LogCapture()
        var reporter = FilesReporter(log.logger, about: "certificate", at: "tls.crt")
        let start = NIODeadline.uptimeNanoseconds(1)
        reporter.report(.failed, ["error": "cannot be read"], at: start)
        reporter.remind(at: start + .minutes(59))
        #expect(log.lines.count == 1)
        reporter.remind(at: start + .minutes(60))
        reporter.remind(at: start + .minutes(61))
        #expect(log.lines.map(\.level) == [.warning, .warning])
        #expect(
            log.lines.last?.text
                == "certificate files cannot be loaded; what was loaded before remains in use in their place (this has lasted for an hour or more) "
                + "error=cannot be read")
        reporter.report(.recovered, [:], at: start + .minutes(62))
        reporter.remind(at: start + .hours(5))
        #expect(log.lines.count == 3)
    }
}
