import ClassicSSL
import TestSupport
import Testing

@Suite("§2 close", .countsRules, .timeLimit(.minutes(5)))
struct CloseTests {
    @Test func `2 close 2: everything that was sent still goes out, and then the end`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let data = pattern(200_000)
            try await SSL.send(pair.accepted, .bytes(data))
            SSL.close(pair.accepted)
            #expect(try await receive(data.count, from: pair.connected) == data)
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.connected, 0, patience) }
        }
    }

    @Test func `2 close 2: the end is sent as close_notify`() async throws {
        let listener = try RawListener()
        let tls = try TestCertificates.shared.get().serverConfiguration()
        try await SSL.withProcess { _ in
            async let heard = listener.play { socket in
                let peer = try RawTLSPeer(server: tls, on: socket)
                // Throws if the stream is cut off.
                return [try peer.receive(), try peer.receive()]
            }
            let client = try await SSL.connect("127.0.0.1", listener.port, [.active(false)], patience)
            try await SSL.send(client, "last words")
            SSL.close(client)
            #expect(try await heard == ["last words", nil])
        }
    }

    @Test func `2 close 3: no ssl_closed follows, and messages that were there stay`() async throws {
        try await SSL.withProcess { process in
            let pair = try await Pair(connect: [.active(false)])
            try await SSL.send(pair.connected, "before")
            while process.messageCount == 0 { await Task.yield() }
            SSL.close(pair.accepted)
            SSL.close(pair.connected)
            try await pair.accepted.waitUntilGone()
            #expect(process.messageCount == 1)
            #expect(try await Note.next(of: pair.accepted, 0) == .text("before"))
        }
    }

    @Test func `2 close 3: nothing comes after close, though the peer closes at the same time`() async throws {
        try await SSL.withProcess { process in
            for _ in 0..<100 {
                let pair = try await Pair(connect: [.active(false)])
                try await SSL.send(pair.connected, "on its way")
                SSL.close(pair.connected)
                // Now or a little later: any moment may be the one.
                for _ in 0..<Int.random(in: 0..<20) { await Task.yield() }
                SSL.close(pair.accepted)
                let count = process.messageCount
                try await pair.accepted.waitUntilGone()
                #expect(process.messageCount == count)
                SSL.close(pair.listener)
            }
        }
    }

    @Test func `2 close 4: calls in progress end with closed`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let accepted = pair.accepted
            async let first = reason { _ = try await SSL.recv(accepted, 0, patience) }
            async let second = reason { _ = try await SSL.recv(accepted, 10, patience) }
            async let sending = reason {
                // More than fits anywhere: the peer does not read.
                while true { try await SSL.send(accepted, .bytes(pattern(1 << 20))) }
            }
            for _ in 0..<50 { await Task.yield() }
            SSL.close(accepted)
            #expect(await first == .closed)
            #expect(await second == .closed)
            #expect(await sending == .closed)
        }
    }

    @Test func `2 close 4: of a send that had begun the peer gets the whole, though the call ends with closed`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: [.active(false), .packet(4)], connect: [.active(false)])
            let (accepted, size) = (pair.accepted, 8_000_000)
            async let sending = reason { try await SSL.send(accepted, .bytes([UInt8](repeating: 7, count: size))) }
            while try await accepted.waitingSends() == 0 { await Task.yield() }
            SSL.close(accepted)
            #expect(await sending == .closed)
            var received = 0
            let end = await reason {
                while true { received += try await SSL.recv(pair.connected, 0, patience).array.count }
            }
            #expect(end == .closed)
            #expect(received == size + 4)
        }
    }

    @Test func `2 close 5: closing again has no effect`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair()
            for socket in [pair.accepted, pair.connected, pair.listener] {
                SSL.close(socket)
                SSL.close(socket)
            }
        }
    }

    @Test func `1 2 and 2 pid: a socket stays comparable, and its process has a name, also after close`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair()
            let sockets = [pair.listener, pair.accepted, pair.connected]
            let names = Dictionary(uniqueKeysWithValues: sockets.map { ($0, SSL.pid($0)) })
            #expect(Set(names.values).count == 3)
            for socket in sockets {
                SSL.close(socket)
                #expect(names[socket] == SSL.pid(socket))
            }
        }
    }
}
