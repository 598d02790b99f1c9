import NIOCore
import Testing

@testable import SecureSocketsRedis

@Suite struct `The queue of commands` {
    private let start = ContinuousClock.now

    private func queue(of commands: [String], limit: Int = 8) -> CommandQueue<String> {
        var queue = CommandQueue<String>(maximumCount: limit, grace: .seconds(1))
        for (index, command) in commands.enumerated() {
            let deadline = self.start + .seconds(index + 1)
            queue.append(ByteBuffer(string: command), id: UInt64(index), deadline: deadline, command)
        }
        return queue
    }

    private func caller(_ match: CommandQueue<String>.Match) -> String {
        switch match {
        case .caller(let caller): caller
        case .discard: "discarded"
        case .unexpected: "unexpected"
        }
    }

    @Test func `writes commands together, and matches replies in order`() {
        var queue = self.queue(of: ["a", "b", "c"])
        #expect(queue.takeBatch() == ByteBuffer(string: "abc"))
        #expect(queue.takeBatch() == nil)
        #expect((1...4).map { _ in self.caller(queue.matchReply()) } == ["a", "b", "c", "unexpected"])
    }

    @Test func `does not take a reply for an unsent command`() {
        var queue = self.queue(of: ["a"])
        #expect(self.caller(queue.matchReply()) == "unexpected")
    }

    @Test func `divides what is large`() {
        let large = String(repeating: "a", count: 40 << 10)
        var queue = self.queue(of: [large, large, "b"])
        #expect(queue.takeBatch()?.readableBytes == 40 << 10)
        #expect(queue.takeBatch()?.readableBytes == 40 << 10 + 1)
    }

    @Test func `removes unsent commands that are cancelled, and keeps the place of written ones`() {
        var queue = self.queue(of: ["a", "b", "c"])
        #expect(queue.cancel(1) == "b")
        #expect(queue.cancel(1) == nil)
        #expect(queue.takeBatch() == ByteBuffer(string: "ac"))
        #expect(queue.cancel(0) == "a")
        #expect(queue.cancel(0) == nil)
        #expect(queue.count == 2)
        #expect((1...2).map { _ in self.caller(queue.matchReply()) } == ["discarded", "c"])
        #expect(queue.cancel(2) == nil)
    }

    @Test func `ends waits at their deadlines, and says when the next is due`() {
        var queue = self.queue(of: ["a", "b"])
        _ = queue.takeBatch()
        queue.append(ByteBuffer(string: "c"), id: 9, deadline: self.start + .milliseconds(500), "c")
        #expect(queue.nextDeadline == self.start + .milliseconds(500))
        #expect(queue.expire(at: self.start) == [])
        #expect(queue.expire(at: self.start + .milliseconds(500)) == ["c"])
        #expect(queue.nextDeadline == self.start + .seconds(1))
        #expect(queue.expire(at: self.start + .seconds(1)) == ["a"])
        #expect(queue.count == 2)
        #expect(!queue.isOverdue(at: self.start + .milliseconds(1_999)))
        #expect(queue.isOverdue(at: self.start + .seconds(2)))
        #expect(self.caller(queue.matchReply()) == "discarded")
        #expect(!queue.isOverdue(at: self.start + .seconds(2)))
        #expect(queue.removeAll() == ["b"])
        #expect(queue.nextDeadline == nil)
    }

    @Test func `refuses more commands than permitted, and more bytes`() {
        var queue = self.queue(of: ["a", "b"], limit: 3)
        let large = ByteBuffer(repeating: 0, count: CommandQueue<String>.maximumUnsentBytes)
        #expect(queue.refusal(of: large) == .tooManyBytes(2))
        _ = queue.takeBatch()
        #expect(queue.refusal(of: large) == nil)
        queue.append(large, id: 3, deadline: self.start, "c")
        #expect(queue.refusal(of: ByteBuffer()) == .tooMany(3))
        #expect(queue.expire(at: self.start) == ["c"])
        #expect(queue.refusal(of: large) == nil)
    }
}
