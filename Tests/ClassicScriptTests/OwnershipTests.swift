import ClassicSSL
import NIOCore
import SecureSockets
import Synchronization
import Testing

/// Who owns a socket, and what that means (specification §1.3 to §1.8, §2 `controlling_process/2`, §7).
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Ownership` {
    private let packets: [SSL.Option] = [.packet(4)]
    private let passivePackets: [SSL.Option] = [.packet(4), .active(false)]

    // MARK: Passing a socket on while data keeps coming

    @Test(arguments: [16, 40_000])
    func `passed round and round while data keeps coming, no message is lost, doubled, overtaken or left behind`(
        size: Int
    ) async throws {
        let count = size > 1_000 ? 400 : 4_000
        let scene = try await Scene(server: self.packets + [.binary], client: self.passivePackets + [.binary])
        let pair = try await scene.pair()
        let sender = SSL.spawn {
            for number in 0..<count {
                var packet = ByteBuffer(integer: UInt32(number))
                packet.writeRepeatingByte(UInt8(number % 256), count: size - 4)
                try await SSL.send(pair.client, .binary(packet))
            }
            SSL.close(pair.client)
        }
        let owners = (0..<4).map { _ in Actor() }
        var turn = 0
        var seen: [UInt32] = []
        var hasEnded = false
        try await SSL.controllingProcess(pair.server, owners[0].process)
        while !hasEnded {
            let next = owners[(turn + 1) % owners.count].process
            // Sometimes nothing is taken, sometimes a little, sometimes everything that is there.
            let toTake = [0, 3, 1, 17, 5][turn % 5]
            let owner = owners[turn % owners.count]
            let (numbers, ended) = try await owner {
                var numbers: [UInt32] = []
                while numbers.count < toTake {
                    switch try await SSL.receive(of: pair.server) {
                    case .ssl(_, .binary(let packet)):
                        #expect(packet.readableBytes == size)
                        numbers.append(try #require(packet.getInteger(at: packet.readerIndex)))
                    case .sslClosed:
                        // The last: behind it there is nothing, and nothing comes.
                        await #expect(throws: SSL.Reason.timeout) { try await SSL.receive(of: pair.server, 0) }
                        return (numbers, true)
                    case let message:
                        Issue.record("unexpected: \(message)")
                        return (numbers, true)
                    }
                }
                try await SSL.controllingProcess(pair.server, next)
                await #expect(throws: SSL.Reason.timeout) { try await SSL.receive(of: pair.server, 0) }
                return (numbers, false)
            }
            seen += numbers
            hasEnded = ended
            turn += 1
        }
        #expect(seen == (0..<UInt32(count)).map { $0 })
        #expect(turn > owners.count)
        try await sender.task.value
        for owner in owners { #expect(owner.process.messageCount == 0) }
        for owner in owners { try await owner.end() }
        SSL.close(scene.listener)
    }

    @Test func `messages of other sockets and of other kinds stay where they are`() async throws {
        let scene = try await Scene(server: self.packets, client: self.passivePackets)
        let (first, second) = (Actor(), Actor())
        let one = try await first { try await scene.pair() }
        let other = try await first { try await scene.pair() }
        first.process.send("a note")
        for number in 1...3 {
            try await SSL.send(one.client, .bytes(Array("one \(number)".utf8)))
            try await SSL.send(other.client, .bytes(Array("other \(number)".utf8)))
        }
        try await first {
            for socket in [one.server, other.server] {
                #expect(try await SSL.receive(of: socket).text.hasSuffix(" 1"))
            }
            try await SSL.controllingProcess(one.server, second.process)
            #expect(try await SSL.receive(of: other.server).text == "other 2")
            #expect(try await SSL.receive(of: other.server).text == "other 3")
            #expect(try await SSL.receive().text == "user a note")
            #expect(SSL.Process.current.messageCount == 0)
        }
        let moved = try await second {
            [try await SSL.receive(of: one.server).text, try await SSL.receive(of: one.server).text]
        }
        #expect(moved == ["one 2", "one 3"])
        try await first.end()
        try await second.end()
        SSL.close(scene.listener)
    }

    @Test func `to oneself it is ok and changes nothing`() async throws {
        let scene = try await Scene(server: self.packets, client: self.passivePackets)
        let owner = Actor()
        let pair = try await owner { try await scene.pair() }
        for number in 1...3 { try await SSL.send(pair.client, .bytes(Array("\(number)".utf8))) }
        try await owner {
            #expect(try await SSL.receive(of: pair.server).text == "1")
            for _ in 1...3 { try await SSL.controllingProcess(pair.server, .current) }
            try await SSL.controllingProcess(pair.client, .current)
            #expect(try await SSL.receive(of: pair.server).text == "2")
            #expect(try await SSL.receive(of: pair.server).text == "3")
        }
        try await SSL.send(pair.server, "still here")
        #expect(try await SSL.recv(pair.client, 0, .patience).text == "still here")
        try await owner.end()
        SSL.close(scene.listener)
    }

    @Test func `somebody else may not pass it on, whatever kind of socket it is`() async throws {
        let scene = try await Scene(server: self.packets, client: self.passivePackets)
        let (owner, stranger) = (Actor(), Actor())
        let pair = try await owner { try await scene.pair() }
        for socket in [pair.server, pair.client, scene.listener] {
            for heir in [stranger.process, owner.process] {
                await #expect(throws: SSL.Reason.badcall("controlling_process")) {
                    try await stranger { try await SSL.controllingProcess(socket, heir) }
                }
            }
        }
        // Nothing has changed.
        try await SSL.send(pair.client, "for the owner")
        #expect(try await owner { try await SSL.receive(of: pair.server).text } == "for the owner")
        // Nor may the owner that was.
        try await owner { try await SSL.controllingProcess(pair.server, stranger.process) }
        await #expect(throws: SSL.Reason.badcall("controlling_process")) {
            try await owner { try await SSL.controllingProcess(pair.server, owner.process) }
        }
        try await owner.end()
        try await stranger.end()
        SSL.close(scene.listener)
    }

    @Test func `a socket that was closed is passed on to nobody`() async throws {
        let scene = try await Scene(server: self.packets, client: self.passivePackets)
        let pair = try await scene.pair()
        let heir = Actor()
        for socket in [pair.server, pair.client, scene.listener] {
            SSL.close(socket)
            await #expect(throws: SSL.Reason.closed) { try await SSL.controllingProcess(socket, heir.process) }
        }
        try await heir.end()
    }

    // MARK: The end of an owner

    @Test(arguments: [true, false])
    func `when its owner ends, a socket closes and what was sent arrives`(isActive: Bool) async throws {
        let scene = try await Scene(server: [.packet(4), .active(isActive)], client: self.passivePackets)
        let owner = Actor()
        async let accepted = owner { try await scene.accept() }
        let client = try await scene.connect()
        let server = try await accepted
        try await owner { for number in 1...100 { try await SSL.send(server, .bytes(Array("\(number)".utf8))) } }
        try await owner.end()
        for number in 1...100 { #expect(try await SSL.recv(client, 0, .patience).text == "\(number)") }
        await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, .patience) }
        await #expect(throws: SSL.Reason.closed) { try await SSL.send(server, "too late") }
        #expect(throws: SSL.Reason.closed) { try SSL.peername(server) }
        SSL.close(server)
        SSL.close(client)
        SSL.close(scene.listener)
    }

    @Test(arguments: ["returns", "throws", "is cancelled"])
    func `however it ends`(way: String) async throws {
        let scene = try await Scene(server: self.packets, client: self.passivePackets)
        let owner = SSL.spawn {
            _ = try await scene.accept()
            switch way {
            case "returns": return
            case "throws": throw SSL.Reason.einval
            default: _ = try await SSL.receive(.patience)
            }
        }
        let client = try await scene.connect()
        // It has the socket: now it may be cancelled as well.
        if way == "is cancelled" { owner.task.cancel() }
        await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, .patience) }
        let outcome = await owner.task.result
        #expect(((try? outcome.get()) != nil) == (way == "returns"))
        #expect(owner.process.hasEnded)
        SSL.close(scene.listener)
    }

    @Test(arguments: [true, false])
    func `the end of the owner that was changes nothing, that of the new one does`(isActive: Bool) async throws {
        let scene = try await Scene(server: [.packet(4), .active(isActive)], client: self.passivePackets)
        let (first, second, stranger) = (Actor(), Actor(), Actor())
        async let accepted = first { try await scene.accept() }
        let client = try await scene.connect()
        let server = try await accepted
        try await first { try await SSL.controllingProcess(server, second.process) }
        try await first.end()
        try await stranger.end()
        try await SSL.send(client, "ping")
        try await second {
            let ping = isActive ? try await SSL.receive(of: server).text : try await SSL.recv(server, 0, .patience).text
            #expect(ping == "ping")
            try await SSL.send(server, "pong")
        }
        #expect(try await SSL.recv(client, 0, .patience).text == "pong")
        try await second.end()
        await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, .patience) }
        SSL.close(client)
        SSL.close(scene.listener)
    }

    @Test(arguments: [true, false])
    func `to a process that has ended: ok, and the socket closes`(isActive: Bool) async throws {
        let scene = try await Scene(server: [.packet(4), .active(isActive)], client: self.passivePackets)
        let (owner, heir) = (Actor(trapExit: true), Actor())
        try await heir.end()
        async let accepted = owner { try await scene.accept() }
        let client = try await scene.connect()
        let server = try await accepted
        try await SSL.send(client, "1")
        try await SSL.send(client, "2")
        try await owner {
            let first = isActive ? try await SSL.receive(of: server).text : try await SSL.recv(server, 0, .patience).text
            #expect(first == "1")
            try await SSL.send(server, "last words")
            try await SSL.controllingProcess(server, heir.process)
            #expect(throws: SSL.Reason.closed) { try SSL.peername(server) }
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(server, "too late") }
            // Neither a message of the socket nor the news of its end: the link has gone with it.
            #expect(SSL.Process.current.messageCount == 0)
        }
        #expect(try await SSL.recv(client, 0, .patience).text == "last words")
        await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, .patience) }
        SSL.close(client)
        try await server.secureSocket?.waitUntilClosed()
        #expect(owner.process.messageCount == 0)
        try await owner.end()
        SSL.close(scene.listener)
    }

    @Test func `an owner that ends in the middle of passing it on leaves it whole or closed`() async throws {
        let scene = try await Scene(server: self.packets, client: self.passivePackets)
        var outcomes: [Bool: Int] = [:]
        for round in 0..<60 {
            let (owner, heir) = (Actor(), Actor())
            async let accepted = owner { try await scene.accept() }
            let client = try await scene.connect()
            let server = try await accepted
            for number in 1...3 { try await SSL.send(client, .bytes(Array("\(number)".utf8))) }
            async let transfer: Void = owner {
                if round % 3 == 0 { #expect(try await SSL.receive(of: server).text == "1") }
                try await SSL.controllingProcess(server, heir.process)
            }
            for _ in 0..<round % 7 { await Task.yield() }
            owner.kill()
            try? await transfer
            // Its messages are the heir's, all that are left and in their order; or it is closed, and the client is told.
            let isWhole = try await heir {
                var texts: [String] = []
                while texts.last != "3" {
                    do {
                        texts.append(try await SSL.receive(of: server, server.secureSocket?.isClosed == true ? 0 : 200).text)
                    } catch SSL.Reason.timeout {
                        if server.secureSocket?.isClosed == true { return false }
                    }
                }
                #expect(texts == ["1", "2", "3"].suffix(texts.count) && texts.count >= 2)
                return true
            }
            if isWhole {
                try? await SSL.send(server, "alive")
            }
            do throws(SSL.Reason) {
                let text = try await SSL.recv(client, 0, .patience).text
                #expect(text == "alive")
            } catch {
                #expect(error == .closed)
            }
            outcomes[isWhole, default: 0] += 1
            SSL.close(client)
            try await heir.end()
        }
        #expect(outcomes.values.reduce(0, +) == 60)
        SSL.close(scene.listener)
    }

    // MARK: Passive sockets and listeners

    @Test func `a passive socket is passed on with what it has read ahead, and without a message`() async throws {
        let scene = try await Scene(server: self.passivePackets, client: self.passivePackets)
        let (first, second) = (Actor(), Actor())
        let pair = try await first { try await scene.pair() }
        for number in 1...100 { try await SSL.send(pair.client, .bytes(Array("\(number)".utf8))) }
        for number in stride(from: 1, to: 100, by: 2) {
            let (owner, heir) = number % 4 == 1 ? (first, second) : (second, first)
            try await owner {
                #expect(try await SSL.recv(pair.server, 0, .patience).text == "\(number)")
                try await SSL.controllingProcess(pair.server, heir.process)
                // Receiving does not depend on who owns it.
                #expect(try await SSL.recv(pair.server, 0, .patience).text == "\(number + 1)")
            }
        }
        #expect(first.process.messageCount == 0)
        #expect(second.process.messageCount == 0)
        try await first.end()
        try await second.end()
        SSL.close(scene.listener)
    }

    @Test func `a listener is passed on; its new owner's end closes it, and calls that wait`() async throws {
        let scene = try await Scene(server: self.packets, client: self.passivePackets)
        let (first, second, acceptor) = (Actor(), Actor(), Actor())
        try await SSL.controllingProcess(scene.listener, first.process)
        try await first { try await SSL.controllingProcess(scene.listener, second.process) }
        try await first.end()

        // Any process may accept, and owns what it has accepted.
        async let accepted = acceptor { try await scene.accept() }
        let client = try await scene.connect()
        let server = try await accepted
        let waiting = SSL.spawn { _ = try await SSL.accept(scene.listener, .patience) }
        try await second.end()
        await #expect(throws: SSL.Reason.closed) { try await waiting.task.value }
        await #expect(throws: SSL.Reason.closed) { try await SSL.accept(scene.listener, .patience) }

        // Sockets that were accepted live on.
        try await SSL.send(client, "ping")
        try await acceptor {
            #expect(try await SSL.receive(of: server).text == "ping")
            try await SSL.send(server, "pong")
        }
        #expect(try await SSL.recv(client, 0, .patience).text == "pong")
        try await acceptor.end()
        await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, .patience) }
    }

    @Test func `a listener that is passed to a process that has ended closes`() async throws {
        let scene = try await Scene(server: self.packets, client: self.passivePackets)
        let heir = Actor()
        try await heir.end()
        let port = try SSL.port(scene.listener)
        try await SSL.controllingProcess(scene.listener, heir.process)
        #expect(throws: SSL.Reason.closed) { try SSL.port(scene.listener) }
        await #expect(throws: SSL.Reason.closed) { try await SSL.accept(scene.listener, 0) }
        #expect(port > 0)
    }

    // MARK: Exits

    @Test func `an owner that traps exits is told of the end of its own socket, by its pid`() async throws {
        let scene = try await Scene(server: self.packets, client: self.passivePackets)
        let owner = Actor(trapExit: true)
        async let accepted = owner { try await scene.accept() }
        let client = try await scene.connect()
        let server = try await accepted
        let pid = SSL.pid(server)
        SSL.close(server)
        try await owner {
            let message = try await SSL.receive(.patience)
            guard case .exit(pid, .normal) = message else {
                Issue.record("\(message) instead of the exit")
                return
            }
            #expect(SSL.Process.current.messageCount == 0)
        }
        #expect(SSL.pid(server) == pid)
        await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, .patience) }
        try await owner.end()
        SSL.close(scene.listener)
    }
}
