import ClassicSSL
import NIOCore
import TestSupport
import Testing

@Suite("§2 controlling_process", .countsRules, .timeLimit(.minutes(5)))
struct ControllingProcessTests {
    @Test func `2 controlling_process 1 and 3: messages that wait are moved, those that follow go to the new owner`() async throws
    {
        try await SSL.withProcess { old in
            let pair = try await Pair(both: [.packet(1)])
            let other = try await Pair(both: [.packet(1)])
            for number in 0..<50 {
                try await SSL.send(pair.accepted, .bytes([UInt8(number)]))
                try await SSL.send(other.accepted, .bytes([UInt8(number)]))
            }
            while old.messageCount < 100 { await Task.yield() }
            let new = SSL.spawn {
                for number in 0..<100 {
                    let note = try await Note.next(of: pair.connected)
                    #expect(note == .bytes([UInt8(number)]))
                }
            }
            try await SSL.controllingProcess(pair.connected, new.process)
            for number in 50..<100 { try await SSL.send(pair.accepted, .bytes([UInt8(number)])) }
            try await new.task.value
            // This socket's messages only.
            await #expect(throws: SSL.Reason.timeout) { try await Note.next(of: pair.connected, 0) }
            for number in 0..<50 { #expect(try await Note.next(of: other.connected, 0) == .bytes([UInt8(number)])) }
        }
    }

    @Test func `2 controlling_process 2: only the owner may`() async throws {
        try await SSL.withProcess { owner in
            let pair = try await Pair()
            try await SSL.spawn {
                for socket in [pair.accepted, pair.listener] {
                    let refusal = await reason { try await SSL.controllingProcess(socket, SSL.Process.current) }
                    #expect(refusal?.atom == "badcall")
                }
            }.task.value
            try await SSL.send(pair.connected, "still the old owner's")
            #expect(try await Note.next(of: pair.accepted) == .text("still the old owner's"))
        }
    }

    @Test func `2 controlling_process 4: the new owner's end closes the socket`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let new = SSL.spawn { _ = try await SSL.receive() }
            for socket in [pair.accepted, pair.listener] { try await SSL.controllingProcess(socket, new.process) }
            new.process.send("end")
            try await new.task.value
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.connected, 0, patience) }
            await #expect(throws: SSL.Reason.closed) { try await SSL.accept(pair.listener) }
        }
    }

    @Test func `2 controlling_process 5: to oneself, and to a process that has ended`() async throws {
        try await SSL.withProcess(trapExit: true) { process in
            let pair = try await Pair(both: [.active(false)])
            let ended = SSL.spawn {}
            try await ended.task.value
            for socket in [pair.accepted, pair.listener] {
                try await SSL.controllingProcess(socket, process)
                try await SSL.controllingProcess(socket, ended.process)
                // Closed as if that owner had ended now.
                await #expect(throws: SSL.Reason.closed) { try await SSL.controllingProcess(socket, process) }
            }
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.connected, 0, patience) }
            #expect(process.messageCount == 0)
        }
    }

    @Test func `2 controlling_process 6: a closed socket`() async throws {
        try await SSL.withProcess { process in
            let pair = try await Pair()
            for socket in [pair.accepted, pair.listener] {
                SSL.close(socket)
                await #expect(throws: SSL.Reason.closed) { try await SSL.controllingProcess(socket, process) }
            }
        }
    }
}
