import NIOCore
import SecureSockets
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `A mailbox` {
    private func pair(_ options: SocketOptions = SocketOptions.patient) async throws -> StreamPair {
        let certificates = try TestCertificates.shared.get()
        let (client, server) = try await SecureSocket.connectedPair(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration(), options: options)
        return StreamPair(client: client, server: server)
    }

    private func bytes(_ message: Mailbox.Message) -> ByteBuffer? {
        if case .received(_, let bytes) = message { bytes } else { nil }
    }

    @Test func `gets what had arrived before and what arrives after, and the end last`() async throws {
        let pair = try await self.pair()
        let mailbox = Mailbox()
        try await pair.client.send("before")
        #expect(try await pair.server.receive(exactly: 1) == ByteBuffer(string: "b"))
        try await pair.server.deliver(to: mailbox)
        #expect(self.bytes(try await mailbox.next()) == ByteBuffer(string: "efore"))
        try await pair.client.send("after")
        pair.client.close()
        #expect(self.bytes(try await mailbox.next()) == ByteBuffer(string: "after"))
        guard case .ended(let socket) = try await mailbox.next() else {
            Issue.record("the end did not come")
            return
        }
        #expect(socket == pair.server)
        #expect(mailbox.count == 0)
    }

    @Test func `refuses to share its socket with receive`() async throws {
        let pair = try await self.pair()
        let waiting = Task { try await pair.server.receive() }
        // The call waits, or comes after; both are refused.
        try await pair.server.deliver(to: Mailbox())
        do {
            _ = try await waiting.value
            Issue.record("receive went on")
        } catch {
            let code = (error as? SecureSocketError)?.code
            #expect(code == .wrongMode || code == .closed)
        }
    }

    @Test func `serves many sockets, each in its order`() async throws {
        let mailbox = Mailbox()
        var pairs: [StreamPair] = []
        for _ in 0..<5 { pairs.append(try await self.pair()) }
        for pair in pairs { try await pair.server.deliver(to: mailbox) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, pair) in pairs.enumerated() {
                group.addTask {
                    for number in 0..<100 { try await pair.client.send([UInt8(index), UInt8(number)]) }
                    pair.client.close()
                }
            }
            var received: [SecureSocket: [UInt8]] = [:]
            var ended = 0
            while ended < pairs.count {
                switch try await mailbox.next() {
                case .received(let socket, let bytes): received[socket, default: []].append(contentsOf: bytes.readableBytesView)
                case .ended: ended += 1
                case .failed(_, let error): Issue.record(error)
                case .posted: break
                }
            }
            for (index, pair) in pairs.enumerated() {
                #expect(received[pair.server] == (0..<100).flatMap { [UInt8(index), UInt8($0)] })
            }
            try await group.waitForAll()
        }
    }

    @Test func `takes what matches and leaves the rest in its order`() async throws {
        let mailbox = Mailbox()
        for number in 1...5 { mailbox.post(number) }
        func number(_ message: Mailbox.Message) -> Int? {
            if case .posted(let value) = message { value as? Int } else { nil }
        }
        let matching = try await mailbox.next { message in
            if case .posted(let value) = message { value as? Int == 3 } else { false }
        }
        #expect(number(matching) == 3)
        var rest: [Int?] = []
        for _ in 0..<4 { rest.append(number(try await mailbox.next())) }
        #expect(rest == [1, 2, 4, 5])
    }

    @Test func `ends a wait on time, when cancelled, and when closed, and loses nothing`() async throws {
        let mailbox = Mailbox()
        await #expect(throws: SecureSocketError.self) { try await mailbox.next(timeout: .zero) }
        await #expect(throws: SecureSocketError.self) { try await mailbox.next(timeout: .milliseconds(1)) }
        let cancelled = Task { try await mailbox.next() }
        cancelled.cancel()
        await #expect(throws: SecureSocketError.self) { try await cancelled.value }
        mailbox.post("kept")
        let closed = Task { try await mailbox.next { _ in false } }
        mailbox.close()
        await #expect(throws: SecureSocketError.self) { try await closed.value }
        guard case .posted = try await mailbox.next() else {
            Issue.record("the message was lost")
            return
        }
    }

    @Test func `closes its sockets when it is closed`() async throws {
        let pair = try await self.pair()
        let mailbox = Mailbox()
        try await pair.server.deliver(to: mailbox)
        mailbox.close()
        #expect(try await pair.client.receive() == nil)
        pair.client.close()
        try await pair.server.waitUntilClosed()
    }

    @Test func `closes its sockets when nobody has it any more`() async throws {
        let pair = try await self.pair()
        func deliverToNobody() async throws {
            let mailbox = Mailbox()
            try await pair.server.deliver(to: mailbox)
        }
        try await deliverToNobody()
        #expect(try await pair.client.receive() == nil)
    }

    @Test func `passes a socket on with its messages, none lost, none doubled, in their order`() async throws {
        let pair = try await self.pair()
        let mailboxes = (0..<3).map { _ in Mailbox() }
        try await pair.server.deliver(to: mailboxes[0])
        let total = 20_000
        let sending = Task {
            for start in stride(from: 0, to: total, by: 100) {
                try await pair.client.send((start..<start + 100).map { UInt8(truncatingIfNeeded: $0) })
            }
            pair.client.close()
        }
        var received: [UInt8] = []
        var owner = 0
        var hasEnded = false
        while !hasEnded {
            switch try await mailboxes[owner].next() {
            case .received(_, let bytes): received.append(contentsOf: bytes.readableBytesView)
            case .ended: hasEnded = true
            case .failed(_, let error): Issue.record(error)
            case .posted: break
            }
            let next = (owner + 1) % mailboxes.count
            if !hasEnded {
                try await pair.server.setOwner(mailboxes[next], from: mailboxes[owner])
                #expect(mailboxes[owner].count == 0)
                owner = next
            }
        }
        try await sending.value
        #expect(received == (0..<total).map { UInt8(truncatingIfNeeded: $0) })
    }

    @Test func `lets only the owner pass a socket on`() async throws {
        let pair = try await self.pair()
        let owner = Mailbox()
        try await pair.server.setOwner(owner)
        do {
            try await pair.server.setOwner(Mailbox(), from: Mailbox())
            Issue.record("somebody else passed it on")
        } catch {
            #expect(error.code == .notOwner)
        }
        try await pair.client.send("still passive")
        #expect(try await pair.server.receive() == ByteBuffer(string: "still passive"))
    }

    @Test func `gets as many messages as asked for, and then the socket is received from again`() async throws {
        var options = SocketOptions.patient
        options.framing = .oneByteLength
        let pair = try await self.pair(options)
        let mailbox = Mailbox()
        for number in 1...3 as ClosedRange<UInt8> { try await pair.client.send([number]) }
        try await pair.server.deliver(to: mailbox, count: 2)
        #expect(self.bytes(try await mailbox.next()) == ByteBuffer(bytes: [1]))
        #expect(self.bytes(try await mailbox.next()) == ByteBuffer(bytes: [2]))
        #expect(try await pair.server.receive() == ByteBuffer(bytes: [3]))
    }

    @Test func `holds up a socket that floods it, and lets it go on when there is room`() async throws {
        var options = SocketOptions.patient
        options.mailboxHighWaterMark = 10_000
        options.readAhead = 1000
        options.sendHighWaterMark = 10_000
        let pair = try await self.pair(options)
        let mailbox = Mailbox()
        try await pair.server.deliver(to: mailbox)
        let total = 1_000_000
        let sending = Task { try await pair.client.send(ByteBuffer(repeating: 9, count: total)) }
        var received = 0
        while received < total {
            // What waits is never more than the mark and one chunk.
            #expect(mailbox.count * 1000 <= 12_000)
            received += self.bytes(try await mailbox.next())?.readableBytes ?? 0
        }
        try await sending.value
    }

    @Test func `lets others run though its reader never waits`() async throws {
        final class Flag: Sendable { let isSet = Atomic<Bool>(false) }
        let (mailbox, other) = (Mailbox(), Flag())
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        // Both on one thread: the second can only run when the first gives way.
        let reader = Task(executorPreference: group.nextLoopTask().taskExecutor) { @Sendable in
            var count = 0
            while !other.isSet.load(ordering: .relaxed), count < 1_000_000 {
                mailbox.post(count)
                _ = try await mailbox.next()
                count += 1
            }
            return count
        }
        await Task(executorPreference: group.nextLoopTask().taskExecutor) { other.isSet.store(true, ordering: .relaxed) }.value
        #expect(try await reader.value < 1_000_000)
        try await group.shutdownGracefully()
    }

    @Test func `never overlooks what comes while a call begins to wait`() async throws {
        let mailbox = Mailbox()
        let count = 50_000
        let taken = Atomic<Int>(0)
        async let posted: Void = {
            for number in 0..<count {
                while taken.load(ordering: .acquiring) < number, !Task.isCancelled { await Task.yield() }
                // Now the other side is about to wait; the next comes a little earlier or later each time.
                for _ in 0..<number % 64 { _ = taken.load(ordering: .acquiring) }
                mailbox.post(number)
                if number % 2 == 0 { mailbox.post(-number) }
            }
        }()
        for number in 0..<count {
            for expected in number % 2 == 0 ? [number, -number] : [number] {
                guard case .posted(let value as Int) = try await mailbox.next(timeout: Encounter.patience), value == expected
                else {
                    Issue.record("something else came before \(expected)")
                    return
                }
            }
            taken.store(number + 1, ordering: .releasing)
        }
        await posted
    }
}
