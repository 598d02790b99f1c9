import NIOCore
import SocketCore
import Testing

@Suite struct `A connection's states` {
    private func machine(_ framing: Framing = .none, endsWritingWithReading: Bool = false) -> ConnectionMachine {
        ConnectionMachine(
            queue: ReceiveQueue(framing: framing, maximumPacketSize: 1000, readAhead: 100),
            endsWritingWithReading: endsWritingWithReading)
    }

    private func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

    @Test func `calls that wait are served in their order`() {
        var machine = self.machine()
        #expect(machine.receive(.exactly(2), isBehindOthers: false) == .wait)
        machine.queue.bytes.writeString("abc")
        // One that comes later does not overtake.
        #expect(machine.receive(.next, isBehindOthers: true) == .wait)
        #expect(machine.nextDue(.exactly(2)) == .bytes(self.bytes("ab")))
        #expect(machine.nextDue(.next) == .bytes(self.bytes("c")))
        #expect(machine.nextDue(nil) == nil)
    }

    @Test func `a call that gives up leaves what has come to the next`() {
        var machine = self.machine()
        machine.queue.bytes.writeString("abc")
        #expect(machine.nextDue(.exactly(10)) == nil)
        #expect(machine.nextDue(nil) == nil)
        #expect(machine.receive(.next, isBehindOthers: false) == .bytes(self.bytes("abc")))
    }

    @Test(arguments: [ConnectionMachine.StreamEnd.finished, .truncated, .reset, .failed])
    func `what came before the end is delivered before the end, and the end stays`(end: ConnectionMachine.StreamEnd) {
        var machine = self.machine()
        machine.queue.bytes.writeString("last")
        machine.streamEnded(end)
        machine.streamEnded(.failed)
        #expect(machine.receive(.next, isBehindOthers: false) == .bytes(self.bytes("last")))
        #expect(machine.receive(.next, isBehindOthers: false) == .end(end))
        #expect(machine.receive(.next, isBehindOthers: false) == .end(end))
    }

    @Test func `an end that a call has returned is also the last message of a mailbox that gets the socket later, once`() {
        var machine = self.machine()
        machine.streamEnded(.finished)
        #expect(machine.receive(.next, isBehindOthers: false) == .end(.finished))
        #expect(machine.deliver(.active(credit: nil)) == .refuse(.active))
        #expect(machine.nextDue(nil) == .lastMessage(.finished))
        #expect(machine.nextDue(nil) == nil)
        #expect(machine.deliver(.active(credit: nil)) == .refuse(.active))
        #expect(machine.nextDue(nil) == nil)
        #expect(machine.deliver(.passive) == .stay)
        #expect(machine.receive(.next, isBehindOthers: false) == .end(.finished))
    }

    @Test func `too few bytes before the end are still there for a call that asks for less`() {
        var machine = self.machine()
        machine.queue.bytes.writeString("abc")
        machine.streamEnded(.finished)
        #expect(machine.nextDue(.exactly(10)) == .end(.finished))
        #expect(machine.receive(.next, isBehindOthers: false) == .bytes(self.bytes("abc")))
        #expect(machine.receive(.next, isBehindOthers: false) == .end(.finished))
    }

    @Test func `an unfinished packet is dropped at the end, and the end says so`() {
        var machine = self.machine(.twoBytes)
        machine.queue.bytes.writeBytes([0, 5, 1, 2])
        machine.streamEnded(.finished)
        for _ in 0..<2 { #expect(machine.receive(.next, isBehindOthers: false) == .end(.finishedInMidPacket)) }
        #expect(machine.queue.bytes.readableBytes == 0)
    }

    @Test func `an oversized packet ends the stream after the good ones`() {
        var machine = self.machine(.twoBytes)
        machine.queue.bytes.writeBytes([0, 1, 7, 0xff, 0xff, 1])
        #expect(machine.receive(.next, isBehindOthers: false) == .bytes(ByteBuffer(bytes: [7])))
        #expect(machine.receive(.next, isBehindOthers: false) == .end(.oversized(65_535)))
        #expect(machine.receive(.next, isBehindOthers: false) == .end(.oversized(65_535)))
        #expect(machine.wantsToRead(nil) == false)
    }

    @Test func `bytes cannot be counted out of a framed stream`() {
        var machine = self.machine(.fourBytes)
        #expect(machine.receive(.exactly(1), isBehindOthers: false) == .refuse(.framed))
    }

    @Test func `an active socket refuses to be received from and delivers messages, the end last and once`() {
        var machine = self.machine()
        #expect(machine.deliver(.active(credit: nil)) == .refuse(.active))
        machine.queue.bytes.writeString("a")
        #expect(machine.receive(.next, isBehindOthers: false) == .refuse(.active))
        #expect(machine.nextDue(nil) == .message(self.bytes("a")))
        machine.queue.bytes.writeString("b")
        machine.streamEnded(.truncated)
        #expect(machine.nextDue(nil) == .message(self.bytes("b")))
        #expect(machine.nextDue(nil) == .lastMessage(.truncated))
        #expect(machine.nextDue(nil) == nil)
    }

    @Test func `calls that wait are refused when delivery becomes active`() {
        var machine = self.machine()
        #expect(machine.deliver(.active(credit: nil)) == .refuse(.active))
        machine.queue.bytes.writeString("a")
        #expect(machine.nextDue(nil) == .message(self.bytes("a")))
        #expect(machine.deliver(.passive) == .stay)
    }

    @Test func `credit counts messages, and then the socket is passive`() {
        var machine = self.machine(.oneByte)
        _ = machine.deliver(.active(credit: 2))
        machine.queue.bytes.writeBytes([1, 10, 1, 11, 1, 12])
        #expect(machine.nextDue(nil) == .message(ByteBuffer(bytes: [10])))
        #expect(machine.nextDue(nil) == .message(ByteBuffer(bytes: [11])))
        #expect(machine.nextDue(nil) == nil)
        #expect(machine.receive(.next, isBehindOthers: false) == .bytes(ByteBuffer(bytes: [12])))
    }

    @Test func `a full mailbox stops delivery and reading, and the end waits as well`() {
        var machine = self.machine()
        _ = machine.deliver(.active(credit: nil))
        machine.mailboxIsFull(true)
        #expect(machine.wantsToRead(nil) == false)
        machine.queue.bytes.writeString("a")
        machine.streamEnded(.finished)
        #expect(machine.nextDue(nil) == nil)
        machine.mailboxIsFull(false)
        #expect(machine.nextDue(nil) == .message(self.bytes("a")))
        #expect(machine.nextDue(nil) == .lastMessage(.finished))
    }

    @Test func `reading stops at the read-ahead unless a call needs more`() {
        var machine = self.machine()
        #expect(machine.wantsToRead(nil) == true)
        machine.queue.bytes.writeBytes([UInt8](repeating: 0, count: 100))
        #expect(machine.wantsToRead(nil) == false)
        #expect(machine.wantsToRead(.exactly(150)) == true)
        #expect(machine.readLimit(.exactly(150)) == 150)
    }

    @Test func `a broken writing side leaves the reading side alone`() {
        var machine = self.machine()
        machine.queue.bytes.writeString("still here")
        machine.writingBroke()
        #expect(machine.sendRefusal == .writingEnded)
        #expect(machine.receive(.next, isBehindOthers: false) == .bytes(self.bytes("still here")))
        #expect(machine.receive(.next, isBehindOthers: false) == .wait)
    }

    @Test func `the peer's end leaves the writing side alone, unless the socket was opened otherwise`() {
        var swift = self.machine()
        swift.streamEnded(.finished)
        #expect(swift.receive(.next, isBehindOthers: false) == .end(.finished))
        #expect(swift.sendRefusal == nil)

        var classic = self.machine(endsWritingWithReading: true)
        classic.streamEnded(.finished)
        #expect(classic.sendRefusal == nil)
        #expect(classic.receive(.next, isBehindOthers: false) == .end(.finished))
        #expect(classic.sendRefusal == .writingEnded)
    }

    @Test func `writing is closed once`() {
        var machine = self.machine()
        #expect(machine.closeWriting() == .wait)
        #expect(machine.isClosingWriting == true)
        #expect(machine.sendRefusal == .writingEnded)
        #expect(machine.closeWriting() == .wait)
        machine.writingClosed()
        #expect(machine.isWritingClosed == true)
        #expect(machine.closeWriting() == .alreadyClosed)
        machine.writingBroke()
        #expect(machine.closeWriting() == .alreadyClosed)
        #expect(machine.receive(.next, isBehindOthers: false) == .wait)
    }

    @Test func `writing cannot be closed when it is broken, or the socket closed`() {
        var machine = self.machine()
        machine.writingBroke()
        #expect(machine.closeWriting() == .refuse(.writingEnded))
        #expect(machine.close() == .refuse(.closed))
        #expect(machine.closeWriting() == .refuse(.closed))
        var closed = self.machine()
        #expect(closed.close() == .refuse(.closed))
        #expect(closed.closeWriting() == .refuse(.closed))
    }

    @Test func `closing refuses what waits and discards what has come`() {
        var machine = self.machine()
        machine.queue.bytes.writeString("abc")
        #expect(machine.close() == .refuse(.closed))
        #expect(machine.receive(.next, isBehindOthers: false) == .refuse(.closed))
        #expect(machine.sendRefusal == .closed)
        #expect(machine.nextDue(nil) == nil)
        #expect(machine.queue.bytes.readableBytes == 0)
        #expect(machine.wantsToRead(nil) == false)
    }
}
