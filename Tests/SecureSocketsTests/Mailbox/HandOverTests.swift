import NIOCore
import NIOPosix
import SecureSockets
import TestSupport
import Testing

/// After any change of owner, mode, credit or high-water mark, everything that is due is delivered.
@Suite(.timeLimit(.minutes(5))) struct `A socket that is handed over` {
    enum Loops: CaseIterable, Sendable {
        case epoll, nio

        var group: any EventLoopGroup {
            self == .epoll ? SocketEventLoopGroup.shared : .singletonMultiThreadedEventLoopGroup
        }
    }

    /// A client that sends a plain stream, so that any number of packets can arrive at once, and a server that cuts it into packets.
    private func pair(mark: Int, _ loops: Loops) async throws -> StreamPair {
        var options = SocketOptions.patient
        options.framing = .fourByteLength
        options.mailboxHighWaterMark = mark
        let certificates = try TestCertificates.shared.get()
        return try await .overLoopback(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration(), options: options,
            clientOptions: .patient, on: loops.group)
    }

    private func packet(_ number: Int, size: Int) -> ByteBuffer {
        var packet = ByteBuffer(integer: UInt32(number))
        packet.writeRepeatingByte(UInt8(truncatingIfNeeded: number), count: size - 4)
        return packet
    }

    /// Packets with these numbers, as they are on the wire.
    private func stream(_ numbers: Range<Int>, size: (Int) -> Int) -> ByteBuffer {
        var stream = ByteBuffer()
        for number in numbers {
            stream.writeInteger(UInt32(size(number)))
            stream.writeImmutableBuffer(self.packet(number, size: size(number)))
        }
        return stream
    }

    @Test(arguments: Loops.allCases)
    func `while reading is paused gives its new owner what the old one had no room for`(loops: Loops) async throws {
        let pair = try await self.pair(mark: 20_000, loops)
        let (first, second) = (Mailbox(), Mailbox())
        try await pair.client.send(self.stream(0..<40) { _ in 1000 })
        // It has all arrived, and is decrypted; of the forty there is room for eighteen.
        #expect(try await pair.server.receive() == self.packet(0, size: 1000))
        try await pair.server.deliver(to: first)
        while first.count < 18 { await Task.yield() }
        _ = try await first.next()
        try await pair.server.setOwner(second)
        for number in 2..<40 {
            guard case .received(_, let packet) = try await second.next(timeout: .seconds(60)) else { return }
            #expect(packet == self.packet(number, size: 1000))
        }
    }

    @Test(arguments: Loops.allCases)
    func `tells its mailbox of an end that receive has returned before, once`(loops: Loops) async throws {
        let pair = try await self.pair(mark: 20_000, loops)
        pair.client.close()
        #expect(try await pair.server.receive() == nil)
        let (first, second) = (Mailbox(), Mailbox())
        try await pair.server.deliver(to: first)
        guard case .ended(pair.server) = try await first.next(timeout: .seconds(60)) else {
            Issue.record("something else came than the end")
            return
        }
        try await pair.server.deliver(to: second)
        #expect((first.count, second.count) == (0, 0))
    }

    private enum Step: CaseIterable { case take, handOver, deliver }

    @Test(arguments: Loops.allCases, [1, 2, 3] as [UInt64])
    func `loses, doubles and reorders nothing, whatever is done to it`(loops: Loops, seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let (count, burst) = (20_000, 250)
        let sizes = (0..<count).map { _ in [4, 4, 5, 40, 400].randomElement(using: &random) ?? 4 }
        let pair = try await self.pair(mark: [1, 2000, 20_000].randomElement(using: &random) ?? 1, loops)
        let mailboxes = (0..<3).map { _ in Mailbox() }
        var owner = mailboxes[0]
        /// How many messages the owner will get; nil: all.
        var credit: Int? = 0
        var (sent, expected) = (0, 0)
        func check(_ packet: ByteBuffer?) {
            // One expectation for all 20,000: one for each takes longer than the rest of the test.
            if packet != self.packet(expected, size: sizes[expected]) { Issue.record("\(expected) is not what came") }
            expected += 1
        }
        try await pair.server.setOwner(owner)
        while expected < count {
            // Only when all has been received, so that nothing that arrives later delivers what was forgotten.
            if expected == sent {
                try await pair.client.send(self.stream(sent..<sent + burst) { sizes[$0] })
                sent += burst
            }
            switch Step.allCases.randomElement(using: &random) ?? .take {
            case .take:
                for _ in 0..<min([1, 2, 3, 5, 20, 200].randomElement(using: &random) ?? 1, sent - expected) {
                    if credit == 0 {
                        check(try await pair.server.receive(timeout: .seconds(60)))
                        continue
                    }
                    guard case .received(_, let packet) = try await owner.next(timeout: .seconds(60)) else {
                        Issue.record("the end came before \(expected)")
                        return
                    }
                    check(packet)
                    credit = credit.map { $0 - 1 }
                }
            case .handOver:
                let next = mailboxes.randomElement(using: &random) ?? owner
                try await pair.server.setOwner(next, from: owner)
                if next !== owner { #expect(owner.count == 0) }
                owner = next
            case .deliver:
                // A new credit while the old one is in use would leave open how many come.
                guard credit == 0 else { continue }
                owner = mailboxes.randomElement(using: &random) ?? owner
                credit = expected < count / 2 ? [1, 7, 300, 2000].randomElement(using: &random) : nil
                try await pair.server.deliver(to: owner, count: credit)
            }
        }
        pair.client.close()
        if credit == 0 {
            #expect(try await pair.server.receive(timeout: .seconds(60)) == nil)
        } else if case .ended = try await owner.next(timeout: .seconds(60)) {
        } else {
            Issue.record("the end did not come")
        }
        #expect(mailboxes.allSatisfy { $0.count == 0 })
    }
}
