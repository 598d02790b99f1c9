import NIOCore
import SecureSocketsTesting
import Synchronization
import TLSEngine
import TestSupport
import Testing

@testable import SecureSockets

@Suite(.timeLimit(.minutes(2))) struct `Single-use tickets` {
    /// A store in memory whose answers the test chooses.
    private final class Store: SessionStore {
        enum Behaviour { case works, fails, isSilent }

        private struct State {
            var values: [[UInt8]: [UInt8]] = [:]
            var behaviour = Behaviour.works
            var requests = 0
            var silent: [CheckedContinuation<Void, Never>] = []
            var cancelled = 0
            var answersLeft = Int.max
        }

        struct Failure: Error {}

        private let state = Mutex(State())

        var requests: Int { self.state.withLock { $0.requests } }
        var count: Int { self.state.withLock { $0.values.count } }
        /// The number of silent requests whose task was cancelled.
        var cancelled: Int { self.state.withLock { $0.cancelled } }

        /// Answers this many requests, and then none.
        func answer(_ count: Int) { self.state.withLock { $0.answersLeft = count } }

        func behave(_ behaviour: Behaviour) {
            let silent = self.state.withLock { state in
                state.answersLeft = .max
                state.behaviour = behaviour
                defer { state.silent = [] }
                return state.silent
            }
            for continuation in silent { continuation.resume() }
        }

        private func request() async throws {
            let behaviour = self.state.withLock { state in
                state.requests += 1
                state.answersLeft -= 1
                if state.answersLeft < 0 { state.behaviour = .isSilent }
                return state.behaviour
            }
            switch behaviour {
            case .works: break
            case .fails: throw Failure()
            case .isSilent:
                await withCheckedContinuation { continuation in
                    let isOver = self.state.withLock { state in
                        guard state.behaviour == .isSilent else { return true }
                        state.silent.append(continuation)
                        return false
                    }
                    if isOver { continuation.resume() }
                }
                if Task.isCancelled { self.state.withLock { $0.cancelled += 1 } }
            }
        }

        func insert(_ value: [UInt8], for key: [UInt8], lifetime: Duration) async throws {
            try await self.request()
            self.state.withLock { $0.values[key] = value }
        }

        func take(_ key: [UInt8]) async throws -> [UInt8]? {
            try await self.request()
            return self.state.withLock { $0.values.removeValue(forKey: key) }
        }
    }

    private let store = Store()
    private let share = [UInt8](repeating: 3, count: 32)

    private func reason(_ tickets: SingleUseTickets, _ ticket: [UInt8] = [1]) async -> FullHandshakeReason? {
        if case .failure(let failure) = await tickets.take(ticket, isRecent: false) {
            FullHandshakeReason(failure.reason)
        } else {
            nil
        }
    }

    @Test func `are opened once`() async throws {
        let tickets = SingleUseTickets(store: self.store)
        #expect(tickets.keep(self.share, of: [1], lifetime: 60))
        await until { self.store.count == 1 }
        #expect(await tickets.take([1], isRecent: false) == .success(self.share))
        #expect(await self.reason(tickets) == .alreadyUsed)
        await until { tickets.statistics.inserted == 1 }
        #expect(tickets.statistics.taken == 1 && tickets.statistics.missing == 1)
    }

    /// The client may be quicker than the server that has issued its ticket.
    @Test func `that are recent are looked for again, and others are not`() async throws {
        var options = SingleUseTickets.Options()
        options.deadline = .seconds(60)
        let tickets = SingleUseTickets(store: self.store, options: options)
        async let share = tickets.take([1], isRecent: true)
        await until { self.store.requests >= 1 }
        #expect(tickets.keep(self.share, of: [1], lifetime: 60))
        _ = await share
        await until { tickets.statistics.inserted == 1 }
        let before = self.store.requests
        #expect(await self.reason(tickets, [2]) == .alreadyUsed)
        #expect(self.store.requests == before + 1)
        if case .success = await tickets.take([3], isRecent: true) { Issue.record("a share that was never kept") }
        #expect(self.store.requests == before + 4)
    }

    /// The store has answered each of the attacker's lookups, so it does not fail.
    @Test func `that are presented again and again at once do not keep others from resuming`() async throws {
        var options = SingleUseTickets.Options()
        options.deadline = .milliseconds(300)
        let tickets = SingleUseTickets(store: self.store, options: options)
        #expect(tickets.keep(self.share, of: [1], lifetime: 60))
        await until { tickets.statistics.inserted == 1 }
        for number in 1...6 {
            self.store.answer(1)
            if case .success = await tickets.take([2], isRecent: true) { Issue.record("a share that was never kept") }
            self.store.behave(.works)
            #expect(tickets.statistics.missing == number)
        }
        #expect(tickets.statistics.timedOut == 0 && tickets.statistics.omittedLookups == 0)
        #expect(await tickets.take([1], isRecent: false) == .success(self.share))
    }

    @Test func `are declined at the deadline of a silent store, whose late answer is discarded`() async throws {
        self.store.behave(.isSilent)
        var options = SingleUseTickets.Options()
        options.deadline = .milliseconds(5)
        let tickets = SingleUseTickets(store: self.store, options: options)
        async let one = self.reason(tickets, [1])
        async let two = self.reason(tickets, [2])
        #expect(await [one, two] == [.storeTimedOut, .storeTimedOut])
        #expect(tickets.statistics.requestsInProgress == 2)
        self.store.behave(.works)
        await until { tickets.statistics.requestsInProgress == 0 }
        #expect(tickets.statistics.timedOut == 2 && tickets.statistics.missing == 0)
        #expect(await self.reason(tickets) == .alreadyUsed)
    }

    /// A breaker that has let one request through to find out must learn what became of it, and slots must come back.
    @Test func `whose shares are never confirmed are not issued any more, and the store is asked to give up`() async throws {
        self.store.behave(.isSilent)
        var options = SingleUseTickets.Options()
        options.deadline = .milliseconds(2)
        let tickets = SingleUseTickets(store: self.store, options: options)
        for number in 1...5 {
            #expect(tickets.keep(self.share, of: [1], lifetime: 60))
            await until { tickets.statistics.failedInsertions == number }
        }
        #expect(!tickets.keep(self.share, of: [1], lifetime: 60))
        self.store.behave(.works)
        await until { tickets.statistics.requestsInProgress == 0 }
        // The last one may have been let go between its deadline and its cancellation.
        #expect(self.store.cancelled >= 4)
        await until { tickets.keep(self.share, of: [2], lifetime: 60) }
        await until { tickets.statistics.inserted == 1 }
    }

    @Test func `do not ask a store that has failed five times, until it has recovered`() async throws {
        let tickets = SingleUseTickets(store: self.store)
        self.store.behave(.fails)
        for _ in 1...5 { #expect(await self.reason(tickets) == .storeUnavailable) }
        #expect(await self.reason(tickets) == .storeUnavailable)
        #expect(self.store.requests == 5)
        #expect(tickets.statistics.omittedLookups == 1)
        self.store.behave(.works)
        await until { await self.reason(tickets) == .alreadyUsed }
        #expect(await self.reason(tickets) == .alreadyUsed)
    }

    @Test func `are not issued while the store does not keep them, and are looked up all the same`() async throws {
        let tickets = SingleUseTickets(store: self.store)
        self.store.behave(.fails)
        for number in 1...5 {
            #expect(tickets.keep(self.share, of: [1], lifetime: 60))
            await until { tickets.statistics.failedInsertions == number }
        }
        #expect(!tickets.keep(self.share, of: [1], lifetime: 60))
        #expect(tickets.statistics.omittedTickets == 1)
        self.store.behave(.works)
        #expect(await self.reason(tickets) == .alreadyUsed)
        await until { tickets.keep(self.share, of: [1], lifetime: 60) }
    }

    @Test func `have a bound on requests, beyond which handshakes do not wait`() async throws {
        self.store.behave(.isSilent)
        var options = SingleUseTickets.Options()
        options.maximumRequests = 3
        options.deadline = .seconds(60)
        let tickets = SingleUseTickets(store: self.store, options: options)
        let waiting = (1...3).map { number in Task { await self.reason(tickets, [number]) } }
        await until { tickets.statistics.requestsInProgress == 3 }
        #expect(await self.reason(tickets, [4]) == .storeUnavailable)
        for _ in 1...3 { #expect(tickets.keep(self.share, of: [9], lifetime: 60)) }
        #expect(!tickets.keep(self.share, of: [1], lifetime: 60))
        self.store.behave(.works)
        for task in waiting { #expect(await task.value == .alreadyUsed) }
    }

    /// Two servers of one service, with a store in common, and a client that tries them in turn.
    @Test func `work over sockets, on the server that did not issue them`() async throws {
        let authority = try DevelopmentAuthority()
        let identity = try authority.server(names: ["service.test"]).identity
        let secret = try TicketKeys.Secret(Array(0..<48))
        let tickets = SingleUseTickets(store: self.store)
        var options = ListenerOptions.patient
        options.ticketKeys = try TicketKeys(derivedFrom: secret, singleUse: tickets)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: identity), options: options)
        let client = try TLSClientConfiguration(
            trust: authority.trust, serverName: "service.test", parameters: .init(.tls13))
        var resumed: [Bool] = []
        for number in 1...4 {
            async let served: Void = {
                let socket = try await listener.accept(timeout: Encounter.patience)
                try await socket.send("x")
                _ = try await socket.receive()
                socket.close()
            }()
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: client, timeout: Encounter.patience)
            resumed.append(socket.information.isResumed)
            #expect(try await socket.receive(exactly: 1) == ByteBuffer(string: "x"))
            socket.close()
            try await served
            await until { tickets.statistics.inserted == number }
        }
        #expect(resumed == [false, true, true, true])
        #expect(tickets.statistics.taken == 3)
        listener.close()
    }
}
