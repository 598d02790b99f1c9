import ClassicSSL
import NIOCore
import SecureSockets
import TestSupport
import Testing

@Suite("§2 accept", .countsRules, .timeLimit(.minutes(5)))
struct AcceptTests {
    @Test func `2 accept 1: the socket comes with its handshake complete`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair()
            #expect(pair.accepted.secureSocket?.information.version == .tls13)
        }
    }

    @Test func `2 accept 3: every option of the listener is inherited`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(
                listen: [.binary, .packet(2), .active(false), .nodelay(true), .backlog(7)],
                connect: [.packet(2), .active(false)])
            try await SSL.send(pair.connected, "hello")
            #expect(try await SSL.recv(pair.accepted, 0, patience) == .binary(ByteBuffer(string: "hello")))
            #expect(pair.accepted.secureSocket?.options.noDelay == true)
        }
    }

    @Test func `2 accept 4: no client in time is a timeout, and a client in the queue waits for the next call`() async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            await #expect(throws: SSL.Reason.timeout) { try await SSL.accept(listener, 50) }
            await #expect(throws: SSL.Reason.timeout) { try await SSL.accept(listener, 0) }
            let port = try SSL.port(listener)
            async let client = SSL.connect("127.0.0.1", port, [], patience)
            _ = try await SSL.accept(listener, patience)
            _ = try await client
        }
    }

    @Test func `2 accept 4: a client that is still in its handshake is dropped`() async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            let port = try SSL.port(listener)
            let hello = try await Self.clientHello()
            async let client: Void = onThread {
                let client = try RawSocket.connect(to: port)
                try client.send(hello)
                // The server's answer, if there was time for one, and then nothing but the end.
                try client.receiveUntilEnd()
            }
            // On a busy machine the first calls may be over before the client is there: then it waits for the next.
            let accepting = Task {
                var reasons: Set<SSL.Reason?> = []
                while !Task.isCancelled { reasons.insert(await reason { _ = try await SSL.accept(listener, 500) }) }
                return reasons
            }
            try await client
            accepting.cancel()
            // The last call may have been cancelled in its wait.
            #expect(await accepting.value.subtracting([.closed]) == [.timeout])
        }
    }

    @Test func `2 accept 5: a listener without a certificate says so without waiting for a client`() async throws {
        try await SSL.withProcess { _ in
            let listener = try await SSL.listen(0, [.ip("127.0.0.1")])
            await #expect(throws: SSL.Reason.enoservercert) { try await SSL.accept(listener) }
        }
    }

    @Test func `2 accept 6: a failed client uses up one accept and does no harm to the listener`() async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            let port = try SSL.port(listener)
            async let failed = reason { _ = try await SSL.accept(listener, patience) }
            try await onThread {
                let client = try RawSocket.connect(to: port)
                try client.send("GET / HTTP/1.1\r\n\r\n")
                try client.receiveUntilEnd()
            }
            #expect(await failed == .esslerrssl)
            async let accepted = SSL.accept(listener, patience)
            _ = try await SSL.connect("127.0.0.1", port, [], patience)
            _ = try await accepted
        }
    }

    @Test func `2 accept 7: a silent client holds up one of several pending accepts`() async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            let port = try SSL.port(listener)
            async let first = reason { _ = try await SSL.accept(listener, patience) }
            async let second = reason { _ = try await SSL.accept(listener, patience) }
            let silent = try await onThread { try RawSocket.connect(to: port) }
            _ = try await SSL.connect("127.0.0.1", port, [], patience)
            // The silent one was first in the queue, and is in its handshake until now.
            silent.close()
            let outcomes = [await first, await second]
            #expect(outcomes.contains(nil))
            #expect(outcomes.contains(.esslaccept))
        }
    }

    @Test func `2 accept 8: closing the listener ends every pending accept, and accepted sockets live on`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let listener = pair.listener
            async let first = reason { _ = try await SSL.accept(listener, patience) }
            async let second = reason { _ = try await SSL.accept(listener, patience) }
            SSL.close(listener)
            #expect(await first == .closed)
            #expect(await second == .closed)
            await #expect(throws: SSL.Reason.closed) { try await SSL.accept(listener) }
            try await SSL.send(pair.accepted, "alive")
            #expect(try await receive(5, from: pair.connected) == Array("alive".utf8))
        }
    }

    @Test func `2 accept 8: closing the listener ends an accept that is in its handshake`() async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            let port = try SSL.port(listener)
            let hello = try await Self.clientHello()
            async let pending = reason { _ = try await SSL.accept(listener, patience) }
            // The server's answer tells that the handshake is under way; the client then says no more.
            let client = try await onThread {
                let client = try RawSocket.connect(to: port)
                try client.send(hello)
                _ = try client.receive()
                return client
            }
            SSL.close(listener)
            #expect(await pending == .closed)
            client.close()
        }
    }

    /// The first record of a real client.
    private static func clientHello() async throws -> [UInt8] {
        let listener = try RawListener()
        async let record = listener.play { try $0.receiveRecord() }
        _ = await reason { _ = try await SSL.connect("127.0.0.1", listener.port, [], patience) }
        return try await record
    }

    @Test func `2 accept 8: the end of the listener's owner ends pending accepts`() async throws {
        try await SSL.withProcess { test in
            let owner = SSL.spawn {
                let listener = try await Pair.listener()
                test.send(listener)
                _ = try await SSL.receive()
            }
            guard case .user(let value) = try await SSL.receive(patience), let listener = value as? SSL.Socket else { return }
            async let pending = reason { _ = try await SSL.accept(listener, patience) }
            owner.process.send("end")
            #expect(await pending == .closed)
        }
    }

    @Test func `1 3: the accepting process is the owner, not the listener's`() async throws {
        try await SSL.withProcess { test in
            let listener = try await Pair.listener()
            let port = try SSL.port(listener)
            let acceptor = SSL.spawn {
                _ = try await SSL.accept(listener, patience)
                test.send(Note(try await SSL.receive(patience)))
            }
            let client = try await SSL.connect("127.0.0.1", port, [], patience)
            try await SSL.send(client, "for the acceptor")
            guard case .user(let value) = try await SSL.receive(patience) else { return }
            #expect(value as? Note == .text("for the acceptor"))
            try await acceptor.task.value
        }
    }

    @Test func `1 9: a negative timeout is einval`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            await #expect(throws: SSL.Reason.einval) { try await SSL.accept(pair.listener, -1) }
            await #expect(throws: SSL.Reason.einval) { try await SSL.recv(pair.accepted, 0, -1) }
            await #expect(throws: SSL.Reason.einval) { try await SSL.connect("127.0.0.1", 1, [], -1) }
        }
    }
}
