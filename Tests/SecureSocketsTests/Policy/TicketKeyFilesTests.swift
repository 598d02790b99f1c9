import Foundation
import Logging
import NIOCore
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

@testable import SecureSockets

@Suite(.timeLimit(.minutes(2))) struct `Ticket key files` {
    private let folder: TemporaryDirectory

    init() throws { self.folder = try TemporaryDirectory() }

    private func key(_ number: UInt8, length: Int = 80) -> [UInt8] {
        (0..<length).map { UInt8(truncatingIfNeeded: $0) &+ number }
    }

    private func name(_ number: UInt8) -> String {
        self.key(number).prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @discardableResult
    private func write(_ bytes: [UInt8], to name: String) throws -> String {
        let path = self.folder.path(of: name)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    private func names(_ paths: String...) throws -> [String] { try TicketKeyFiles(paths).load().keys.map(\.name) }

    @Test func `have one key each, the first of which seals`() throws {
        let (one, two) = try (self.write(self.key(1), to: "one"), self.write(self.key(2), to: "two"))
        #expect(try self.names(one, two) == [self.name(1), self.name(2)])
        let keys = TicketKeys(try TicketKeyFiles([two, one]).load())
        #expect(keys.keys.map(\.name) == [self.name(2), self.name(1)])
        #expect(keys.keys.map(\.opensUntil) == [.max, .max])
    }

    @Test(arguments: [48, 80]) func `have several keys in succession`(length: Int) throws {
        let path = try self.write(self.key(1, length: length) + self.key(2, length: length), to: "keys")
        #expect(try self.names(path) == [self.name(1), self.name(2)])
    }

    @Test func `with a length of 240 bytes have keys of 80`() throws {
        let path = try self.write(self.key(1) + self.key(2) + self.key(3), to: "keys")
        #expect(try self.names(path).count == 3)
    }

    @Test func `may be in a folder, in the order of their names`() throws {
        let path = try self.folder.makeFolder("tickets")
        try self.write(self.key(2), to: "tickets/b.key")
        try self.write(self.key(1), to: "tickets/a.key")
        try self.write([1, 2, 3], to: "tickets/.hidden")
        #expect(try self.names(path) == [self.name(1), self.name(2)])
    }

    @Test func `with the same key twice have it once`() throws {
        let one = try self.write(self.key(1), to: "one")
        let both = try self.write(self.key(1) + self.key(2), to: "both")
        #expect(try self.names(one, both) == [self.name(1), self.name(2)])
    }

    @Test func `with faults are refused with an error that names the file`() async throws {
        let short = try self.write(self.key(1, length: 79), to: "short")
        await expectError(.invalidArgument, containing: "short has 79 bytes, which is not a multiple of 80 or 48") {
            _ = try TicketKeyFiles([short]).load()
        }
        let empty = try self.write([], to: "empty")
        await expectError(.invalidArgument, containing: "empty has 0 bytes") { _ = try TicketKeyFiles([empty]).load() }
        let constant = try self.write(Array(repeating: 7, count: 80), to: "constant")
        await expectError(.invalidArgument, containing: "constant is not random") { _ = try TicketKeyFiles([constant]).load() }
        let many = try self.write((1...33).flatMap { self.key($0) }, to: "many")
        await expectError(.invalidArgument, containing: "many has 33 keys; 32 are possible") {
            _ = try TicketKeyFiles([many]).load()
        }
        var other = self.key(1)
        other[79] ^= 1
        let same = try self.write(self.key(1) + other, to: "same")
        await expectError(.invalidArgument, containing: "two ticket keys have the name \(self.name(1))") {
            _ = try TicketKeyFiles([same]).load()
        }
        await expectError(.invalidConfiguration, containing: "missing") {
            _ = try TicketKeyFiles([self.folder.path(of: "missing")]).load()
        }
        await expectError(.invalidArgument, containing: "there are 0 ticket keys") { _ = try TicketKeyFiles([]).load() }
    }

    @Test func `never show a key`() throws {
        let ring = try TicketKeyFiles([self.write(self.key(1), to: "one")]).load()
        var text = "\(ring) "
        dump(ring, to: &text)
        #expect(text.contains(self.name(1)))
        #expect(!text.contains("storage") && !text.contains("70, 71, 72") && !text.contains("464748"))
    }

    // MARK: Changes

    /// Rings as they come, at polls that the test makes possible.
    @Test func `are followed: a new ring after each change, and none for a file that is half written`() async throws {
        let path = try self.write(self.key(1), to: "keys")
        let clock = SteppedClock()
        let events = Mutex<[String]>([])
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let rings = TicketKeyFiles([path]).rings(every: .seconds(10), on: clock, logger: logger) { event in
            events.withLock { $0.append("\(event.kind)") }
        }
        let keys = TicketKeys()
        let following = Task { await keys.follow(rings) }
        func poll(_ count: Int) async {
            for _ in 0..<count {
                clock.wake()
                _ = await clock.nextSleep()
            }
        }
        #expect(await clock.nextSleep() == .seconds(1))
        await poll(1)
        #expect(keys.keys.map(\.name) == [self.name(1)])
        try self.write(self.key(2) + self.key(1), to: "keys")
        await poll(2)
        #expect(keys.keys.map(\.name) == [self.name(2), self.name(1)])
        try self.write(Array(self.key(3).dropLast()), to: "keys")
        await poll(4)
        #expect(keys.keys.map(\.name) == [self.name(2), self.name(1)])
        try self.write(self.key(3) + self.key(2), to: "keys")
        await poll(2)
        #expect(keys.keys.map(\.name) == [self.name(3), self.name(2)])
        following.cancel()
        await following.value
        #expect(events.withLock { $0 } == ["loaded", "loaded", "retrying", "failed", "recovered", "loaded"])
    }

    @Test func `in a volume of Kubernetes are replaced by a link`() async throws {
        for (version, number) in [("v1", UInt8(1)), ("v2", 2)] {
            _ = try self.folder.makeFolder("..\(version)")
            try self.write(self.key(number), to: "..\(version)/current.key")
        }
        let files = FileManager.default
        try files.createSymbolicLink(atPath: self.folder.path(of: "..data"), withDestinationPath: "..v1")
        try files.createSymbolicLink(atPath: self.folder.path(of: "current.key"), withDestinationPath: "..data/current.key")
        let tickets = TicketKeyFiles([self.folder.path])
        #expect(try tickets.load().keys.map(\.name) == [self.name(1)])
        try files.createSymbolicLink(atPath: self.folder.path(of: "..new"), withDestinationPath: "..v2")
        #expect(rename(self.folder.path(of: "..new"), self.folder.path(of: "..data")) == 0)
        #expect(try tickets.load().keys.map(\.name) == [self.name(2)])
    }
}
