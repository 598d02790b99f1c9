import Logging
import NIOCore
import SecureSockets
import TestSupport
import Testing

@testable import ClassicSSL

/// What a program written for Erlang expects of its processes, and is not about one socket.
@Suite(.timeLimit(.minutes(5))) struct `A classic process` {
    private struct Failure: Error {}

    // MARK: Links and exits

    @Test func `that is started with a link ends its starter when it throws`() async throws {
        let starter = SSL.spawn {
            SSL.spawnLink { throw Failure() }
            _ = try await SSL.receive()
        }
        await #expect(throws: SSL.Reason.closed) { try await starter.task.value }
        #expect(starter.process.hasEnded)
    }

    @Test func `that is started with a link is ended with its starter`() async throws {
        let (links, link) = AsyncStream.makeStream(of: SSL.Spawned.self)
        let starter = SSL.spawn {
            link.yield(SSL.spawnLink { _ = try await SSL.receive() })
            throw Failure()
        }
        await #expect(throws: Failure.self) { try await starter.task.value }
        for await linked in links {
            await #expect(throws: SSL.Reason.closed) { try await linked.task.value }
            break
        }
    }

    @Test func `that begins to trap exits gets them as messages`() async throws {
        try await SSL.withProcess { process in
            process.trapExit = true
            let linked = SSL.spawnLink { throw Failure() }
            guard case .exit(linked.process.pid, .error("Failure()")) = try await SSL.receive(patience) else {
                Issue.record("something else came")
                return
            }
            process.exit(.normal)
            guard case .exit(process.pid, .normal) = try await SSL.receive(patience) else {
                Issue.record("something else came")
                return
            }
        }
    }

    @Test(arguments: [SSL.ExitReason.killed, .error("told to")], [true, false])
    func `ends when it is sent an exit, and its sockets close`(reason: SSL.ExitReason, trapsExits: Bool) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let other = SSL.spawn(trapExit: trapsExits) {
                if case .exit(_, reason) = try await SSL.receive() { return }
            }
            try await SSL.controllingProcess(pair.connected, other.process)
            other.process.exit(reason)
            if trapsExits && reason != .killed {
                try await other.task.value
            } else {
                await #expect(throws: SSL.Reason.closed) { try await other.task.value }
            }
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.accepted, 0, patience) }
        }
    }

    @Test func `that is sent a normal exit lives on`() async throws {
        let other = SSL.spawn { if case .user = try await SSL.receive() { return } else { throw Failure() } }
        other.process.exit(.normal)
        #expect(!other.process.hasEnded)
        other.process.send("a note")
        try await other.task.value
    }

    // MARK: What is logged

    @Test func `that throws is logged as an error with its name`() async throws {
        let capture = LogCapture()
        let process = SSL.Process(trapExit: false)
        let spawned = SSL.start(process, log: ProcessLog(capture.logger)) { throw SSL.Reason.closed }
        await #expect(throws: SSL.Reason.closed) { try await spawned.task.value }
        #expect(capture.lines.map(\.level) == [.error])
        #expect(capture.lines.map(\.text) == ["a process threw an error error=closed pid=\(process.pid)"])
    }

    @Test func `that returns, is cancelled or is ended by a link is not logged`() async throws {
        let capture = LogCapture()
        let log = ProcessLog(capture.logger)
        try await SSL.start(SSL.Process(trapExit: false), log: log) {}.task.value
        let cancelled = SSL.start(SSL.Process(trapExit: false), log: log) { _ = try await SSL.receive() }
        cancelled.task.cancel()
        let linked = SSL.start(SSL.Process(trapExit: false), log: log) { _ = try await SSL.receive() }
        let other = SSL.Process(trapExit: false)
        linked.process.link(to: other)
        other.end(.error("of another"))
        for spawned in [cancelled, linked] { await #expect(throws: SSL.Reason.self) { try await spawned.task.value } }
        #expect(capture.lines.isEmpty)
    }

    @Test func `is logged at most ten times in ten seconds, and the next line says how many were not`() {
        let capture = LogCapture()
        let log = ProcessLog(capture.logger)
        let pid = SSL.Process.main.pid
        let start = NIODeadline.now()
        for _ in 0..<25 { log.processThrew(Failure(), pid, at: start) }
        #expect(capture.lines.count == 10)
        log.processThrew(Failure(), pid, at: start + .seconds(10))
        #expect(capture.lines.last?.text == "a process threw an error error=Failure() notLoggedBefore=15 pid=\(pid)")
    }

    // MARK: Values in variables

    @Test func `sends texts, bytes and numbers from variables`() async throws {
        try await SSL.withProcess { _ in
            let (host, text, limit, bytes) = ("127.0.0.1", "gr\u{fc}\u{df}e", 120_000, [UInt8(1), 2])
            let listener = try await Pair.listener([.packet(2), .active(false)])
            let port = try SSL.port(listener)
            async let accepted = SSL.accept(listener, .milliseconds(limit))
            let client = try await SSL.connect(.host(host), port, [.packet(2), .active(false)], .milliseconds(limit))
            let server = try await accepted
            try await SSL.send(client, .text(text))
            try await SSL.send(client, .bytes(bytes))
            try await SSL.send(client, [.text(text), 33])
            #expect(try await SSL.recv(server, 0, .milliseconds(limit)).text == text)
            #expect(try await SSL.recv(server, 0, .milliseconds(limit)).array == bytes)
            #expect(try await SSL.recv(server, 0, .milliseconds(limit)).text == text + "!")
        }
    }

    // MARK: Delivery with a count

    @Test func `has a socket deliver a number of messages to its own mailbox, and then receives from it again`() async throws {
        try await SSL.withProcess { process in
            let pair = try await Pair(listen: [.packet(1)], connect: [.packet(1), .active(false)])
            let (socket, peer) = (pair.connected, pair.accepted)
            for number in 0..<10 as Range<UInt8> { try await SSL.send(peer, .bytes([number])) }
            var expected: UInt8 = 0
            for count in [1, 3] {
                try await socket.secureSocket?.deliver(to: process.mailbox, count: count)
                for _ in 0..<count {
                    guard case .ssl(socket, .bytes([expected])) = try await SSL.receive(patience) else {
                        Issue.record("\(expected) is not what came")
                        return
                    }
                    expected += 1
                }
                #expect(try await SSL.recv(socket, 0, patience) == .bytes([expected]))
                expected += 1
                #expect(process.messageCount == 0)
            }
            // The end comes as a message as well, and ends the delivery.
            SSL.close(peer)
            try await socket.secureSocket?.deliver(to: process.mailbox, count: 20)
            while expected < 10 {
                guard case .ssl(socket, .bytes([expected])) = try await SSL.receive(patience) else {
                    Issue.record("\(expected) is not what came")
                    return
                }
                expected += 1
            }
            #expect(try await Note.next(of: socket) == .closed)
        }
    }
}
