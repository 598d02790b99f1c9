import ClassicSSL
import NIOCore
import TestSupport
import Testing

@Suite("§7 Messages, links and ends", .countsRules, .timeLimit(.minutes(5)))
struct MessagesTests {
    @Test func `7 messages 1: the data comes in the order of the stream, from the socket that was returned`() async throws {
        try await SSL.withProcess { process in
            let pair = try await Pair(both: [.packet(2)])
            for number in 0..<200 { try await SSL.send(pair.accepted, .bytes([UInt8(number)])) }
            for number in 0..<200 {
                guard case .ssl(let socket, let bytes) = try await process.receive(patience) else {
                    Issue.record("no data")
                    return
                }
                #expect(socket == pair.connected && bytes == .bytes([UInt8(number)]))
            }
        }
    }

    @Test func `7 messages 2: ssl_closed comes once, last`() async throws {
        try await SSL.withProcess { process in
            let pair = try await Pair(connect: [.active(true)])
            try await SSL.send(pair.accepted, .bytes(pattern(100_000)))
            SSL.close(pair.accepted)
            var bytes: [UInt8] = []
            var note = try await Note.next(of: pair.connected)
            while case .bytes(let more) = note {
                #expect(!more.isEmpty)
                bytes += more
                note = try await Note.next(of: pair.connected)
            }
            #expect(bytes == pattern(100_000))
            #expect(note == .closed)
            SSL.close(pair.connected)
            try await pair.connected.waitUntilGone()
            #expect(process.messageCount == 0)
        }
    }

    // In place of "an active socket never stops" (design, decision 6).
    @Test func `4_5: an active socket stops reading while its owner takes nothing, and loses nothing by it`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: [.active(false)], connect: [.active(true)])
            let (accepted, count, chunk) = (pair.accepted, 80, pattern(1 << 20))
            let sender = SSL.spawn { for _ in 0..<count { try await SSL.send(accepted, .bytes(chunk)) } }
            while try await pair.connected.wantsToRead() { await Task.yield() }
            var bytes: [UInt8] = []
            while bytes.count < count << 20, case .bytes(let more) = try await Note.next(of: pair.connected) { bytes += more }
            #expect((0..<count).allSatisfy { bytes[$0 << 20..<($0 + 1) << 20].elementsEqual(chunk) })
            try await sender.task.value
        }
    }

    @Test(arguments: [true, false])
    func `1 6: a passive socket never sends a message`(_ isOrderly: Bool) async throws {
        try await SSL.withProcess { process in
            let pair = try await Pair(both: [.active(false), .packet(1)])
            try await SSL.send(pair.accepted, "data")
            #expect(try await SSL.recv(pair.connected, 0, patience).text == "data")
            try await SSL.send(pair.accepted, "more")
            SSL.close(isOrderly ? pair.accepted : pair.connected)
            _ = await reason { while true { _ = try await SSL.recv(pair.connected, 0, patience) } }
            SSL.close(pair.connected)
            SSL.close(pair.accepted)
            try await pair.connected.waitUntilGone()
            #expect(process.messageCount == 0)
        }
    }

    @Test(arguments: [true, false])
    func `7 messages 1: data is a list, or a binary`(_ isBinary: Bool) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(connect: isBinary ? [.binary] : [])
            try await SSL.send(pair.accepted, "x")
            let expected = isBinary ? Note.binary([120]) : .bytes([120])
            #expect(try await Note.next(of: pair.connected) == expected)
        }
    }

    @Test func `7 exit 4: a process that traps exits hears of its own closing, once for each socket`() async throws {
        try await SSL.withProcess(trapExit: true) { process in
            let pair = try await Pair()
            for socket in [pair.accepted, pair.listener] {
                SSL.close(socket)
                SSL.close(socket)
                #expect(try await Self.nextExit(process) == .exit(SSL.pid(socket), .normal))
            }
            // The other end of the connection is this process's as well; its peer has ended it.
            #expect(try await Note.next(of: pair.connected) == .closed)
            SSL.close(pair.connected)
            #expect(try await Self.nextExit(process) == .exit(SSL.pid(pair.connected), .normal))
            try await pair.accepted.waitUntilGone()
            #expect(process.messageCount == 0)
        }
    }

    @Test func `7 exit 4: the end of a connection at the peer is no exit, and its socket lives on`() async throws {
        try await SSL.withProcess(trapExit: true) { process in
            let pair = try await Pair()
            let (accepted, connected) = (pair.accepted, pair.connected)
            SSL.close(accepted)
            #expect(try await Self.nextExit(process) == .exit(SSL.pid(accepted), .normal))
            #expect(try await Note.next(of: connected) == .closed)
            #expect(process.messageCount == 0)
            SSL.close(connected)
            #expect(try await Self.nextExit(process) == .exit(SSL.pid(connected), .normal))
        }
    }

    @Test func `7 exit 4: passive sockets and those closed by others exit as well`() async throws {
        try await SSL.withProcess(trapExit: true) { process in
            let pair = try await Pair(both: [.active(false)])
            try await SSL.spawn { SSL.close(pair.accepted) }.task.value
            #expect(try await Self.nextExit(process) == .exit(SSL.pid(pair.accepted), .normal))
        }
    }

    @Test func `10-9: no exit comes from a call that failed`() async throws {
        try await SSL.withProcess(trapExit: true) { process in
            let free = try RawListener(isListening: false)
            _ = await reason { _ = try await SSL.connect("127.0.0.1", free.port, [], patience) }
            _ = await reason { _ = try await SSL.listen(free.port, [.ip("127.0.0.1")]) }
            let listener = try await Pair.listener()
            _ = await reason { _ = try await SSL.accept(listener, 0) }
            #expect(process.messageCount == 0)
        }
    }

    @Test func `7 exit 4: a process that does not trap exits hears nothing`() async throws {
        try await SSL.withProcess { process in
            let pair = try await Pair(both: [.active(false)])
            SSL.close(pair.accepted)
            SSL.close(pair.connected)
            try await pair.accepted.waitUntilGone()
            #expect(process.messageCount == 0)
        }
    }

    enum End: CaseIterable, Sendable { case returns, throwsError, isCancelled, scopeReturns, scopeThrows }
    struct Failure: Error {}

    @Test(arguments: End.allCases, [true, false])
    func `7 end of the owner: its sockets are closed, and what was sent goes out`(_ end: End, _ isActive: Bool) async throws {
        try await SSL.withProcess { test in
            let listener = try await Pair.listener([.active(isActive)])
            let port = try SSL.port(listener)
            let owner = SSL.spawn {
                let body: @Sendable () async throws -> Void = {
                    let socket = try await SSL.accept(listener, patience)
                    try await SSL.send(socket, "last words")
                    test.send(socket)
                    switch end {
                    case .returns, .scopeReturns: return
                    case .throwsError, .scopeThrows: throw Failure()
                    case .isCancelled: _ = try await SSL.receive()
                    }
                }
                switch end {
                case .scopeReturns, .scopeThrows:
                    try? await SSL.withProcess { _ in try await body() }
                    // The outer process lives on, and that does not matter.
                    _ = try await SSL.receive()
                default: try await body()
                }
            }
            let client = try await SSL.connect("127.0.0.1", port, [.active(false)], patience)
            guard case .user(let value) = try await SSL.receive(patience), let socket = value as? SSL.Socket else { return }
            if end == .isCancelled { owner.task.cancel() }
            #expect(try await receive(10, from: client) == Array("last words".utf8))
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, patience) }
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(socket, "") }
            owner.task.cancel()
            _ = await owner.task.result
            #expect(test.messageCount == 0)
        }
    }

    @Test func `7 cancelled while it waits for data: the wait ends, and the data are the next one's`() async throws {
        try await SSL.withProcess { test in
            let listener = try await Pair.listener([.active(false)])
            let port = try SSL.port(listener)
            let reader = SSL.spawn {
                let socket = try await SSL.accept(listener, patience)
                // So that the socket outlives this process.
                try await SSL.controllingProcess(socket, test)
                test.send(socket)
                _ = try await SSL.recv(socket, 0)
            }
            let client = try await SSL.connect("127.0.0.1", port, [.active(false)], patience)
            guard case .user(let value) = try await SSL.receive(patience), let socket = value as? SSL.Socket else { return }
            // A call that the socket's loop answers: by then the other has begun to wait.
            try await SSL.setopts(socket, [.nodelay(true)])
            reader.task.cancel()
            await #expect(throws: SSL.Reason.closed) { try await reader.task.value }
            try await SSL.send(client, "for the next")
            #expect(try await receive(12, from: socket) == Array("for the next".utf8))
        }
    }

    @Test func `7 end of another process: nothing changes`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            for _ in 0..<3 {
                try await SSL.spawn {
                    try await SSL.send(pair.accepted, "x")
                    _ = try await SSL.recv(pair.connected, 1, patience)
                    try await SSL.setopts(pair.connected, [.nodelay(true)])
                    _ = try SSL.peername(pair.connected)
                }.task.value
            }
            try await SSL.send(pair.accepted, "y")
            #expect(try await SSL.recv(pair.connected, 1, patience).text == "y")
        }
    }

    @Test func `7 end of a former owner: nothing changes`() async throws {
        try await SSL.withProcess { test in
            let listener = try await Pair.listener([.packet(1)])
            let port = try SSL.port(listener)
            let former = SSL.spawn {
                let socket = try await SSL.accept(listener, patience)
                try await SSL.controllingProcess(socket, test)
            }
            let client = try await SSL.connect("127.0.0.1", port, [.packet(1)], patience)
            try await former.task.value
            try await SSL.send(client, "still there")
            guard case .ssl(_, let bytes) = try await SSL.receive(patience) else {
                Issue.record("no data")
                return
            }
            #expect(bytes.text == "still there")
        }
    }

    @Test func `1 8: only close or the end of the owner frees a socket`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair()
            SSL.close(pair.accepted)
            #expect(try await Note.next(of: pair.connected) == .closed)
            // Gone, and allocated still.
            #expect(try SSL.peername(pair.connected).address == [127, 0, 0, 1])
            try await SSL.controllingProcess(pair.connected, SSL.Process.current)
        }
    }

    /// The next exit message.
    private static func nextExit(_ process: SSL.Process) async throws -> Note {
        Note(
            try await process.receive(patience) {
                if case .exit = $0 { true } else { false }
            })
    }
}
