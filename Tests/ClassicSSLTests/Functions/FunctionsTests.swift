import ClassicSSL
import DevelopmentCertificates
import NIOCore
import SecureSockets
import Synchronization
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

    @Test func `2 accept 4: nobody in time is a timeout, and a client in the queue waits for the next call`() async throws {
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

@Suite("§2 connect and listen", .countsRules, .timeLimit(.minutes(5)))
struct ConnectAndListenTests {
    @Test(arguments: ["127.0.0.1", "localhost", .ipv4(127, 0, 0, 1)] as [SSL.Address])
    func `2 connect 1: a name, a dotted string or four numbers`(_ address: SSL.Address) async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            let port = try SSL.port(listener)
            async let accepted = SSL.accept(listener, patience)
            let client = try await SSL.connect(address, port, [], patience)
            #expect(try SSL.peername(client) == SSL.sockname(try await accepted))
        }
    }

    @Test func `2 connect 1: unknown names and malformed addresses`() async throws {
        let malformed = [
            "münchen.example", "a b", "a\nb", "a..example", ".", "https://a", "a@b", String(repeating: "a", count: 64),
        ]
        for name in ["no-such-host.invalid", "", "::1", "a\0b", "[::1]", "fe80::1%lo"] + malformed {
            await #expect(throws: SSL.Reason.nxdomain, "\(name)") { try await SSL.connect(.host(name), 1, [], patience) }
        }
        for address in [SSL.Address.ipv4(256, 0, 0, 1), .ipv4(127, 0, 0, -1)] {
            await #expect(throws: SSL.Reason.einval) { try await SSL.connect(address, 1, [], patience) }
        }
    }

    @Test func `2 connect 2: an empty list is every default`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(connect: [])
            try await SSL.send(pair.accepted, "a list, by message")
            #expect(try await Note.next(of: pair.connected) == .text("a list, by message"))
        }
    }

    @Test func `2 connect 3: options, then files, then the rest`() async throws {
        let missing = SSL.Option.certfile("/nowhere/certificate.pem")
        await #expect(throws: SSL.Reason.eoptions) {
            try await SSL.connect("no-such-host.invalid", 1, [missing, .packet(3)], patience)
        }
        await #expect(throws: SSL.Reason.ecertfile) {
            try await SSL.connect("no-such-host.invalid", 1, [missing], patience)
        }
    }

    @Test func `2 connect 5: not established in time, handshake included`() async throws {
        let silent = try RawListener()
        await #expect(throws: SSL.Reason.timeout) { try await SSL.connect("127.0.0.1", silent.port, [], 100) }
        await #expect(throws: SSL.Reason.timeout) { try await SSL.connect("127.0.0.1", silent.port, [], 0) }
        // Nothing is left open: the peer finds the end.
        try await silent.play { try $0.receiveUntilEnd() }
    }

    @Test(arguments: [0, -1, 65_536, 1 << 40])
    func `2 connect 6: ports out of range`(_ port: Int) async {
        await #expect(throws: SSL.Reason.einval) { try await SSL.connect("127.0.0.1", port, [], patience) }
    }

    @Test func `2 connect 7: the name in the certificate is not compared`() async throws {
        let files = try CertificateFiles.shared
        let other = try files.authority.issue(commonName: "other", names: ["other.example"])
        let meeting = try await Meeting(
            listen: files.identity(other), connect: [.verify(2), .cacertfile(files.ca)])
        #expect(meeting.server == nil)
        #expect(meeting.client == nil)
    }

    @Test func `2 listen 1: port 0 picks a free port`() async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            #expect(try SSL.port(listener) > 0)
            #expect(try SSL.sockname(listener).address == [127, 0, 0, 1])
            #expect(try SSL.sockname(listener).port == SSL.port(listener))
        }
    }

    @Test func `2 listen 2: an empty list is refused before anything else`() async {
        await #expect(throws: SSL.Reason.enooptions) { try await SSL.listen(-1, []) }
        await #expect(throws: SSL.Reason.eoptions) { try await SSL.listen(-1, [.packet(3)]) }
    }

    @Test func `2 listen 3: all addresses of this machine by default`() async throws {
        try await SSL.withProcess { _ in
            let listener = try await SSL.listen(0, CertificateFiles.shared.server)
            #expect(try SSL.sockname(listener).address == [0, 0, 0, 0])
        }
    }

    @Test func `2 listen 4: what the operating system refuses`() async throws {
        let taken = try RawListener()
        await #expect(throws: SSL.Reason.eaddrinuse) { try await SSL.listen(taken.port, [.ip("127.0.0.1")]) }
        await #expect(throws: SSL.Reason.eaddrnotavail) { try await SSL.listen(0, [.ip(.ipv4(192, 0, 2, 1))]) }
        for port in [-1, 65_536] {
            await #expect(throws: SSL.Reason.einval) { try await SSL.listen(port, [.backlog(1)]) }
        }
    }

    @Test func `2 listen 5: a port is free again after a close`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let port = try SSL.port(pair.listener)
            // The listener's side ends first, and so its port stays in TIME_WAIT.
            SSL.close(pair.accepted)
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.connected, 0, patience) }
            SSL.close(pair.connected)
            try await pair.accepted.waitUntilGone()
            SSL.close(pair.listener)
            // The descriptor goes in the background.
            var refusal: SSL.Reason?
            repeat {
                refusal = await reason { _ = try await SSL.listen(port, [.ip("127.0.0.1")]) }
                await Task.yield()
            } while refusal == .eaddrinuse
            #expect(refusal == nil)
        }
    }

    @Test func `2 listen 6: a bad file fails the call and leaves the port free`() async throws {
        await #expect(throws: SSL.Reason.ecertfile) { try await SSL.listen(0, [.certfile("/nowhere")]) }
        await #expect(throws: SSL.Reason.ecipher) { try await SSL.listen(0, [.ciphers("NONSENSE")]) }
    }

    @Test func `3 6: files are read during listen, and not later`() async throws {
        let files = try CertificateFiles.shared
        let options = try files.identity(files.serverKey)
        try await SSL.withProcess { _ in
            let listener = try await SSL.listen(0, options + [.ip("127.0.0.1")])
            guard case .certfile(let path) = options[0] else { return }
            try TemporaryFile.remove(path)
            let port = try SSL.port(listener)
            async let accepted = SSL.accept(listener, patience)
            _ = try await SSL.connect("127.0.0.1", port, [], patience)
            _ = try await accepted
        }
    }
}

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

    @Test func `2 close 2: the end is said with close_notify`() async throws {
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

@Suite("§2 peername, sockname, port", .countsRules, .timeLimit(.minutes(5)))
struct NamesTests {
    @Test func `2 names 1: each end names the other`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair()
            #expect(try SSL.peername(pair.connected) == SSL.sockname(pair.accepted))
            #expect(try SSL.peername(pair.accepted) == SSL.sockname(pair.connected))
            #expect(try SSL.sockname(pair.accepted).address == [127, 0, 0, 1])
            #expect(try SSL.port(pair.accepted) == SSL.port(pair.listener))
            #expect(try SSL.port(pair.connected) == SSL.sockname(pair.connected).port)
        }
    }
}

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
