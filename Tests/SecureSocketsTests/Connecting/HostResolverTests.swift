import Foundation
import NIOCore
import SocketCore
import Synchronization
import TestSupport
import Testing

@testable import SecureSockets

@Suite(.timeLimit(.minutes(5))) struct `A host resolver` {
    private let names = ManualResolver()

    private func lookUp(_ name: String, _ family: IPFamily = .v4, with resolver: HostResolver) async throws -> HostResolver.Answer
    {
        let name = try HostName(name)
        return await withCheckedContinuation { continuation in
            let reply = resolver.lookUp(name, family) { continuation.resume(returning: $0) }
            if case .answered(let answer) = reply { continuation.resume(returning: answer) }
        }
    }

    /// Asks for something that the test gives up.
    private func ask(_ name: String, _ family: IPFamily = .v4, with resolver: HostResolver) throws -> HostResolver.Query {
        let reply = resolver.lookUp(try HostName(name), family) { _ in Issue.record("\(name) was answered") }
        guard case .pending(let query) = reply else { throw NotPending() }
        return query
    }

    struct NotPending: Error {}

    @Test func `passes on what the system's resolver says`() async throws {
        let resolver = self.names.hostResolver()
        try self.names.answer("server.test", "192.0.2.1", "192.0.2.2")
        let addresses = try await self.lookUp("Server.Test", with: resolver).get()
        #expect(addresses.map(\.ipAddress) == ["192.0.2.1", "192.0.2.2"])
        #expect(try await self.lookUp("server.test", .v6, with: resolver) == .failure(.resolver(EAI_NONAME)))
    }

    @Test(arguments: [("localhost", IPFamily.v4, "127.0.0.1"), ("LOCALHOST.", .v6, "::1"), ("a.b.localhost", .v4, "127.0.0.1")])
    func `answers loopback names at once, without a thread`(_ name: String, _ family: IPFamily, _ address: String) throws {
        let resolver = self.names.hostResolver()
        let reply = resolver.lookUp(try HostName(name), family) { _ in Issue.record("it is answered already") }
        guard case .answered(.success(let addresses)) = reply else { throw NotPending() }
        #expect(addresses.map(\.ipAddress) == [address])
        #expect(resolver.counts.threads == 0)
        #expect(self.names.count == 0)
    }

    @Test func `answers others while one name is slow, however many ask for it and give up`() async throws {
        defer { self.names.open() }
        let resolver = self.names.hostResolver()
        try self.names.answer("honest.test", "192.0.2.1")
        for _ in 1...500 {
            for family in IPFamily.allCases { try self.ask("slow.example", family, with: resolver).cancel() }
        }
        #expect(try await self.lookUp("honest.test", with: resolver).get().map(\.ipAddress) == ["192.0.2.1"])
        #expect(resolver.counts.threads == 3)
        #expect(resolver.counts.waiting == 0)
        #expect(resolver.counts.callers == 0)
    }

    @Test func `answers all who ask for the same`() async throws {
        let resolver = self.names.hostResolver()
        async let first = self.lookUp("server.test", with: resolver)
        try await self.names.waitUntilAsked(1)
        async let second = self.lookUp("SERVER.test", with: resolver)
        while resolver.counts.callers < 2 { await Task.yield() }
        try self.names.answer("server.test", "192.0.2.1")
        #expect(try await first == second)
        #expect(self.names.count == 1)
    }

    @Test func `never asks for what was given up before its turn`() async throws {
        let resolver = self.names.hostResolver(limits: .init(threads: 1, waiting: 100))
        let slow = try self.ask("slow.example", with: resolver)
        let waiting = try (1...20).map { try self.ask("a.example\($0)", with: resolver) }
        #expect(resolver.counts.waiting == 20)
        for query in waiting { query.cancel() }
        slow.cancel()
        #expect(resolver.counts.waiting == 0)
        // The thread is still with the first.
        async let answer = self.lookUp("honest.test", with: resolver)
        while resolver.counts.callers < 1 { await Task.yield() }
        try self.names.answer("honest.test", "192.0.2.1")
        self.names.open()
        #expect(try await answer.get().count == 1)
        #expect(self.names.count == 2)
    }

    @Test func `serves an honest client beside one that asks for all names of a slow domain`() async throws {
        defer { self.names.open() }
        let resolver = self.names.hostResolver(limits: .init(threads: 8, waiting: 16))
        try self.names.answer("www.honest.test", "192.0.2.1")
        var rejections: [LookupQueue.Rejection] = []
        for index in 0..<100 {
            let reply = resolver.lookUp(try HostName("n\(index).slow.example"), .v4) { _ in }
            if case .answered(.failure(.rejected(let rejection))) = reply { rejections.append(rejection) }
        }
        #expect(rejections.count == 100 - 2 - 4)
        #expect(Set(rejections) == [.domainFull("slow.example", waiting: 4)])
        #expect(try await self.lookUp("www.honest.test", with: resolver).get().count == 1)
    }

    @Test func `rejects at once what is more than may wait`() async throws {
        defer { self.names.open() }
        let resolver = self.names.hostResolver(limits: .init(threads: 1, waiting: 3))
        let queries = try (0...3).map { try self.ask("a.example\($0)", with: resolver) }
        #expect(try await self.lookUp("a.test", with: resolver) == .failure(.rejected(.full(waiting: 3))))
        for query in queries { query.cancel() }
        #expect(resolver.counts.callers == 0)
    }

    @Test func `ends threads that have been idle for a while, and starts others`() async throws {
        let resolver = self.names.hostResolver(idleTime: .milliseconds(1))
        try self.names.answer("server.test", "192.0.2.1")
        for _ in 1...3 {
            #expect(try await self.lookUp("server.test", with: resolver).get().count == 1)
            let deadline = ContinuousClock.now + Encounter.patience
            while resolver.counts.threads > 0, ContinuousClock.now < deadline { await Task.yield() }
            #expect(resolver.counts.threads == 0)
        }
    }

    @Test func `keeps an idle thread for the next look-up`() async throws {
        let threads = Mutex(0)
        let resolver = HostResolver(
            idleTime: .seconds(600),
            spawn: { body in
                threads.withLock { $0 += 1 }
                return DetachedThread.start(body)
            }
        ) { _ in .success([]) }
        for index in 1...20 {
            _ = try await self.lookUp("name\(index).test", with: resolver)
            // The result is there before the thread is idle.
            while resolver.counts.running > 0 { await Task.yield() }
        }
        #expect(threads.withLock { $0 } == 1)
    }

    @Test func `reports a thread that cannot be started, and tries again the next time`() async throws {
        let fails = Mutex(true)
        let resolver = HostResolver(
            idleTime: .seconds(10),
            spawn: { body in fails.withLock { $0 } ? EAGAIN : DetachedThread.start(body) }
        ) { _ in .success([]) }
        #expect(try await self.lookUp("server.test", with: resolver) == .failure(.system(EAGAIN)))
        #expect(resolver.counts.callers == 0)
        fails.withLock { $0 = false }
        #expect(try await self.lookUp("server.test", with: resolver) == .success([]))
    }

    /// As it happens when connections are made and given up all the time.
    @Test func `loses no caller and no thread while many ask and give up at a time`() async throws {
        let resolver = HostResolver(limits: .init(threads: 4, waiting: 64), idleTime: .microseconds(1)) { _ in .success([]) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for index in 0..<500 {
                        let name = try HostName("n\(index % 7).example\((task + index) % 5)")
                        if (task + index) % 3 == 0 {
                            if case .pending(let query) = resolver.lookUp(name, .v4, completion: { _ in }) { query.cancel() }
                        } else {
                            _ = try await self.lookUp(name.text, with: resolver)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let deadline = ContinuousClock.now + Encounter.patience
        while resolver.counts.threads > 0, ContinuousClock.now < deadline { await Task.yield() }
        #expect(resolver.counts.threads == 0)
        #expect(resolver.counts.waiting == 0)
        #expect(resolver.counts.callers == 0)
    }

    @Test func `asks the system for what it does not know itself`() async throws {
        // RFC 6761 §6.4: a name in .invalid never resolves.
        let answer = try await self.lookUp("no-such-host.invalid", with: .shared)
        guard case .failure(.resolver) = answer else { throw NotPending() }
    }

    @Test func `reads an address with a zone without a look-up`() throws {
        #if os(Linux)
            let loopback = "lo"
        #else
            let loopback = "lo0"
        #endif
        let address = try #require(SystemResolver.address(scoped: "fe80::1%\(loopback)", port: 443))
        #expect(address.port == 443)
        // The interface's number is the last field of `sockaddr_in6` (RFC 3493 §3.3).
        let scope = address.withSockAddr { Array(UnsafeRawBufferPointer(start: $0, count: $1)).suffix(4) }
        #expect(scope != [0, 0, 0, 0])
        for text in ["fe80::1%no-such-link", "127.0.0.1%\(loopback)", "example.org%\(loopback)", "fe80::1%\(loopback)\0"] {
            #expect(SystemResolver.address(scoped: text, port: 443) == nil)
        }
    }
}
