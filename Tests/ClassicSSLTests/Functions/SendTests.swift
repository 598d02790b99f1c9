import ClassicSSL
import NIOCore
import Synchronization
import Testing

@Suite("§2 send and setopts", .countsRules, .timeLimit(.minutes(5)))
struct SendTests {
    @Test func `2 send 1: lists, binaries and lists of them are one unit`() async throws {
        let forms: [SSL.IOData] = [
            "abc", .bytes([97, 98, 99]), .binary(ByteBuffer(string: "abc")), [97, 98, 99],
            [[97], ["b", [[.binary(.init(string: "c"))]]]],
        ]
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false), .packet(1)])
            for form in forms {
                try await SSL.send(pair.accepted, form)
                #expect(try await SSL.recv(pair.connected, 0, patience).text == "abc")
            }
        }
    }

    @Test func `2 send 1: calls of several processes never mix`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false), .packet(4)])
            let accepted = pair.accepted
            let senders = (0..<5).map { number in
                SSL.spawn {
                    for _ in 0..<20 { try await SSL.send(accepted, .bytes([UInt8](repeating: UInt8(number), count: 30_000))) }
                }
            }
            for _ in 0..<100 {
                let packet = try await SSL.recv(pair.connected, 0, patience).array
                #expect(packet.count == 30_000 && Set(packet).count == 1)
            }
            for sender in senders { try await sender.task.value }
        }
    }

    @Test func `2 send 2: send waits while the peer does not read`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let accepted = pair.accepted
            let (count, chunk) = (64, pattern(1 << 20))
            let sent = Mutex(0)
            let sender = SSL.spawn {
                for _ in 0..<count {
                    try await SSL.send(accepted, .bytes(chunk))
                    sent.withLock { $0 += 1 }
                }
            }
            while try await accepted.waitingSends() == 0 { await Task.yield() }
            #expect(sent.withLock { $0 } < count)
            var received = 0
            while received < count << 20 { received += try await SSL.recv(pair.connected, 0, patience).array.count }
            #expect(received == count << 20)
            try await sender.task.value
        }
    }

    @Test(arguments: [true, false])
    func `2 send 4 and 5: empty data is nothing, or an empty packet`(_ isActive: Bool) async throws {
        try await SSL.withProcess { _ in
            let raw = try await Pair(both: [.active(false)])
            for nothing in ["", [], [[], ""], .binary(ByteBuffer())] as [SSL.IOData] { try await SSL.send(raw.accepted, nothing) }
            try await SSL.send(raw.accepted, "x")
            #expect(try await SSL.recv(raw.connected, 0, patience).text == "x")

            let framed = try await Pair(both: [.active(isActive), .packet(2)])
            try await SSL.send(framed.accepted, "")
            if isActive {
                #expect(try await Note.next(of: framed.connected) == .bytes([]))
            } else {
                #expect(try await SSL.recv(framed.connected, 0, patience) == .bytes([]))
            }
        }
    }

    @Test(arguments: [(1, 256), (2, 65_536)])
    func `2 send 6: longer than the header can say is emsgsize, and the socket stays good`(
        _ header: Int, _ length: Int
    ) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false), .packet(header)])
            await #expect(throws: SSL.Reason.emsgsize) { try await SSL.send(pair.accepted, .bytes(pattern(length))) }
            try await SSL.send(pair.accepted, .bytes(pattern(length - 1)))
            #expect(try await SSL.recv(pair.connected, 0, patience).array == pattern(length - 1))
        }
    }

    @Test func `2 send 7: what is no byte is einval, nothing is sent, and the socket stays good`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            for number in [-1, 256, .max] {
                await #expect(throws: SSL.Reason.einval) { try await SSL.send(pair.accepted, ["not sent", [.byte(number)]]) }
            }
            try await SSL.send(pair.accepted, "sent")
            #expect(try await SSL.recv(pair.connected, 0, patience).text == "sent")
        }
    }

    @Test func `7 order: the state is checked before the arguments`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false), .packet(1)])
            SSL.close(pair.connected)
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.accepted, 0, patience) }
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(pair.accepted, .bytes(pattern(256))) }
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(pair.accepted, .byte(256)) }
            SSL.close(pair.accepted)
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(pair.accepted, .byte(256)) }
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.accepted, -1, -1) }
        }
    }

    @Test(
        arguments: [
            [], [.active(false)], [.nodelay(true), .packet(0)], [.binary], [.term(.tuple([.atom("nodelay"), .integer(1)]))],
        ] as [[SSL.Option]])
    func `2 setopts 1: anything but nodelay is eoptions, whatever the state`(_ options: [SSL.Option]) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair()
            await #expect(throws: SSL.Reason.eoptions) { try await SSL.setopts(pair.accepted, options) }
            await #expect(throws: SSL.Reason.eoptions) { try await SSL.setopts(pair.listener, options) }
            SSL.close(pair.accepted)
            await #expect(throws: SSL.Reason.eoptions) { try await SSL.setopts(pair.accepted, options) }
        }
    }

    @Test func `2 setopts 2 and 3: a good list`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair()
            for list in [
                [.nodelay(true)], [.nodelay(false), .nodelay(true)], [.term(.tuple([.atom("nodelay"), .atom("true")]))],
            ] as [[SSL.Option]] {
                try await SSL.setopts(pair.accepted, list)
            }
            SSL.close(pair.accepted)
            await #expect(throws: SSL.Reason.closed) { try await SSL.setopts(pair.accepted, [.nodelay(true)]) }
        }
    }
}
