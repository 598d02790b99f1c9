import ClassicSSL
import NIOCore
import SecureSockets
import Testing

/// What waits in a process's mailbox, however much it is, reaches the process that owns the socket in the end.
@Suite(.timeLimit(.minutes(5))) struct `An active socket` {
    private struct Surprise: Error {
        let expected: Int
        let message: SSL.Message
    }

    private static func packet(_ number: Int, size: Int) -> SSL.IOData {
        var packet = ByteBuffer(integer: UInt32(number))
        packet.writeRepeatingByte(UInt8(truncatingIfNeeded: number), count: size - 4)
        return .binary(packet)
    }

    private static func take(_ numbers: Range<Int>, of socket: SSL.Socket, size: (Int) -> Int) async throws {
        for number in numbers {
            let message = try await SSL.receive(patience)
            guard case .ssl(socket, let bytes) = message, SSL.IOData(bytes) == Self.packet(number, size: size(number)) else {
                throw Surprise(expected: number, message: message)
            }
        }
    }

    private static func takeEnd(of socket: SSL.Socket, after count: Int) async throws {
        let message = try await SSL.receive(patience)
        guard case .sslClosed(socket) = message else { throw Surprise(expected: count, message: message) }
        #expect(SSL.Process.current.messageCount == 0)
    }

    @Test func `whose owner does not receive is handed over with all that has come, in order, and its end`() async throws {
        let count = 68
        try await SSL.withProcess { owner in
            let pair = try await Pair(listen: [.packet(4), .active(false)], connect: [.packet(4), .binary])
            let (passive, active) = (pair.accepted, pair.connected)
            for number in 0..<count { try await SSL.send(passive, Self.packet(number, size: 16_000)) }
            while owner.messageCount < count { await Task.yield() }
            try await Self.take(0..<1, of: active) { _ in 16_000 }
            let heir = SSL.spawn {
                try await Self.take(1..<count, of: active) { _ in 16_000 }
                SSL.close(passive)
                try await Self.takeEnd(of: active, after: count)
            }
            try await SSL.controllingProcess(active, heir.process)
            #expect(owner.messageCount == 0)
            try await heir.task.value
        }
    }

    /// What has come and has no room in the mailbox must not wait for the peer to send more, because it may send no more.
    @Test func `whose reading is paused is handed over with what its old owner had no room for`() async throws {
        let burst = 14
        // Most of the mark is used up by few packets. A buffer's capacity, which counts, is a power of two.
        let large = [30 << 20, 15 << 20, 7 << 20, 3 << 20]
        @Sendable func size(_ number: Int) -> Int { large.indices.contains(number - burst) ? large[number - burst] : 1_000 }
        try await SSL.withProcess { owner in
            // The peer writes the headers itself, so that each burst is one record, and reading pauses in the middle of one.
            let pair = try await Pair(listen: [.active(false)], connect: [.packet(4), .binary])
            let (passive, active) = (pair.accepted, pair.connected)
            var sent = 0
            while try await active.wantsToRead() {
                let next = sent + (large.indices.contains(sent - burst) ? 1 : burst)
                var stream: [SSL.IOData] = []
                for number in sent..<next {
                    let header = ByteBuffer(integer: UInt32(size(number)))
                    stream += [.binary(header), Self.packet(number, size: size(number))]
                }
                try await SSL.send(passive, .list(stream))
                sent = next
                while owner.messageCount < sent, try await active.wantsToRead() { await Task.yield() }
            }
            #expect(owner.messageCount < sent)
            try await Self.take(0..<1, of: active, size: size)
            let count = sent
            let heir = SSL.spawn {
                try await Self.take(1..<count, of: active, size: size)
                SSL.close(passive)
                try await Self.takeEnd(of: active, after: count)
            }
            try await SSL.controllingProcess(active, heir.process)
            #expect(owner.messageCount == 0)
            try await heir.task.value
        }
    }

    @Test func `is handed on after every 200 of 20,000 packets, and none is lost, doubled or overtaken`() async throws {
        let (count, turn) = (20_000, 200)
        /// Takes the packets of one turn and hands the socket on to a process that takes those of the next.
        @Sendable func owner(of socket: SSL.Socket, from first: Int) -> SSL.Spawned {
            SSL.spawn {
                let next = first + turn
                try await Self.take(first..<next, of: socket) { $0 % 1000 + 4 }
                if next == count { return try await Self.takeEnd(of: socket, after: count) }
                let heir = owner(of: socket, from: next)
                try await SSL.controllingProcess(socket, heir.process)
                #expect(SSL.Process.current.messageCount == 0)
                try await heir.task.value
            }
        }
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: [.packet(4), .active(false)], connect: [.packet(4), .binary])
            let (passive, active) = (pair.accepted, pair.connected)
            let sender = SSL.spawn {
                for number in 0..<count { try await SSL.send(passive, Self.packet(number, size: number % 1000 + 4)) }
                SSL.close(passive)
            }
            let first = owner(of: active, from: 0)
            try await SSL.controllingProcess(active, first.process)
            try await first.task.value
            try await sender.task.value
        }
    }
}
