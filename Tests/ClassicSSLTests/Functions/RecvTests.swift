import ClassicSSL
import NIOCore
import Testing

@Suite("§2 recv", .countsRules, .timeLimit(.minutes(5)))
struct RecvTests {
    @Test func `2 recv 1: an active socket refuses, and nothing is consumed`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(connect: [.active(true)])
            try await SSL.send(pair.accepted, "kept")
            guard case .badcall? = await reason({ _ = try await SSL.recv(pair.connected, 0) }) else {
                Issue.record("recv on an active socket")
                return
            }
            #expect(try await Note.next(of: pair.connected) == .text("kept"))
        }
    }

    @Test func `2 recv 2: length 0 takes what is there and waits if there is nothing`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let accepted = pair.accepted
            async let waiting = SSL.recv(accepted, 0, patience)
            try await SSL.send(pair.connected, "x")
            #expect(try await waiting.array == Array("x".utf8))
        }
    }

    @Test func `2 recv 3: a length waits for exactly that many bytes`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let accepted = pair.accepted
            async let waiting = SSL.recv(accepted, 5, patience)
            for character in ["a", "bc", "de", "fg"] { try await SSL.send(pair.connected, .init(stringLiteral: character)) }
            #expect(try await waiting == .bytes(Array("abcde".utf8)))
            #expect(try await SSL.recv(accepted, 2, patience) == .bytes(Array("fg".utf8)))
        }
    }

    @Test func `2 recv 3: a length of more than is read ahead`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let (accepted, data) = (pair.accepted, pattern(3_000_000))
            async let sending: Void = SSL.send(accepted, .bytes(data))
            #expect(try await SSL.recv(pair.connected, data.count, patience).array == data)
            try await sending
        }
    }

    @Test(arguments: [[.packet(1)], [.packet(2)], [.packet(4)], [.binary], [.binary, .packet(4)]] as [[SSL.Option]])
    func `2 recv 4: a length with packet or binary is einval, and nothing is consumed`(_ options: [SSL.Option]) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: options + [.active(false)])
            try await SSL.send(pair.connected, "kept")
            await #expect(throws: SSL.Reason.einval) { try await SSL.recv(pair.accepted, 4, patience) }
            #expect(try await SSL.recv(pair.accepted, 0, patience).text == "kept")
        }
    }

    @Test func `2 recv 5: negative and too great lengths`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            await #expect(throws: SSL.Reason.einval) { try await SSL.recv(pair.accepted, -1, patience) }
            await #expect(throws: SSL.Reason.enomem) { try await SSL.recv(pair.accepted, 16 << 20 + 1, patience) }
            await #expect(throws: SSL.Reason.timeout) { try await SSL.recv(pair.accepted, 16 << 20, 0) }
        }
    }

    @Test func `2 recv 7: a timeout keeps what has arrived for a call that asks otherwise`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            await #expect(throws: SSL.Reason.timeout) { try await SSL.recv(pair.accepted, 0, 0) }
            try await SSL.send(pair.connected, "abc")
            await #expect(throws: SSL.Reason.timeout) { try await SSL.recv(pair.accepted, 10, 100) }
            #expect(try await SSL.recv(pair.accepted, 2, patience).text == "ab")
            #expect(try await SSL.recv(pair.accepted, 0, patience).text == "c")
        }
    }

    @Test func `2 recv 9: an end with fewer bytes than asked for leaves the rest to be read`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            try await SSL.send(pair.connected, "abc")
            SSL.close(pair.connected)
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.accepted, 10, patience) }
            #expect(try await SSL.recv(pair.accepted, 0, patience).text == "abc")
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.accepted, 0, patience) }
        }
    }

    @Test func `2 recv 9: an unfinished packet is dropped`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: [.active(false), .packet(2)], connect: [.active(false)])
            try await SSL.send(pair.connected, .bytes([0, 2, 65, 66, 0, 9, 67]))
            SSL.close(pair.connected)
            #expect(try await SSL.recv(pair.accepted, 0, patience).text == "AB")
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.accepted, 0, patience) }
        }
    }

    @Test func `2 recv 10: calls are served in order, and hold nothing else up`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let accepted = pair.accepted
            var receivers: [SSL.Spawned] = []
            for index in 0..<10 {
                receivers.append(
                    SSL.spawn {
                        let bytes = try await SSL.recv(accepted, 1, patience).array
                        #expect(bytes == [UInt8(index)])
                    })
                while try await accepted.waitingReceives() <= index { await Task.yield() }
            }
            try await SSL.send(accepted, "not held up")
            _ = try SSL.peername(accepted)
            try await SSL.send(pair.connected, .bytes(Array(0..<10)))
            for receiver in receivers { try await receiver.task.value }
        }
    }

    @Test(arguments: [true, false])
    func `2 recv 11: data is a list, or a binary`(_ isBinary: Bool) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: (isBinary ? [.binary] : []) + [.active(false)])
            try await SSL.send(pair.connected, "x")
            let expected = isBinary ? SSL.Bytes.binary(ByteBuffer(string: "x")) : .bytes(Array("x".utf8))
            #expect(try await SSL.recv(pair.accepted, 0, patience) == expected)
        }
    }
}
