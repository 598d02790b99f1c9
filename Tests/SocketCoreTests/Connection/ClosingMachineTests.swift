import NIOCore
import SocketCore
import Testing

@Suite struct `A connection that closes` {
    /// A machine with a clock, and the state of the delivery.
    private struct Scene {
        var machine = ClosingMachine()
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        var undelivered = 0
        var acknowledged: UInt64? = 0
        private var nextLook = NIODeadline.distantFuture

        init(isOpen: Bool = true) {
            if isOpen { self.machine.handshakeCompleted() }
        }

        private var progress: ClosingMachine.Progress {
            ClosingMachine.Progress(when: self.now, undelivered: self.undelivered, acknowledged: self.acknowledged)
        }

        /// Begins to close, as a connection does that has encrypted everything.
        mutating func close(sendsCloseNotify: Bool = true, timeout: TimeAmount = .seconds(10)) -> ClosingMachine.Decision {
            #expect(self.machine.close(sendsCloseNotify: sendsCloseNotify, timeout: timeout) == .endCalls(then: .deliver))
            #expect(self.machine.closeWriting(isBroken: false) == (sendsCloseNotify ? .withCloseNotify : .withoutCloseNotify))
            return self.look()
        }

        mutating func look() -> ClosingMachine.Decision { self.noted(self.machine.checkProgress(self.progress)) }

        mutating func hasten() -> ClosingMachine.Decision { self.noted(self.machine.hasten(self.progress)) }

        private mutating func noted(_ decision: ClosingMachine.Decision) -> ClosingMachine.Decision {
            if case .checkProgress(let delay) = decision { self.nextLook = self.now + delay }
            return decision
        }

        /// Lets time pass, with the looks that the machine has asked for. Returns when the transport is to be closed; nil: it is not.
        mutating func wait(_ span: TimeAmount) -> TimeAmount? {
            let (begin, end) = (self.now, self.now + span)
            while self.nextLook <= end {
                self.now = self.nextLook
                if self.look() == .closeTransport { return self.now - begin }
            }
            self.now = end
            return nil
        }

        var isReleased: Bool {
            if case .released = self.machine.state { true } else { false }
        }

        var isClosed: Bool {
            if case .closed = self.machine.state { true } else { false }
        }

        var isLost: Bool {
            if case .lost = self.machine.state { true } else { false }
        }
    }

    // MARK: In order

    @Test func `delivers, then waits for the peer's end, and then the descriptor is closed`() {
        var scene = Scene()
        #expect(scene.close() == .checkProgress(after: .milliseconds(2500)))
        #expect(scene.machine.writingDelivered() == .nothing)
        #expect(scene.machine.isWritingDelivered)
        #expect(scene.machine.peerEnded(.truncated) == .closeTransport)
        #expect(scene.isReleased)
        scene.machine.transportGone()
        #expect(scene.isClosed)
    }

    @Test func `whose peer has ended before is closed when all is delivered`() {
        var scene = Scene()
        #expect(scene.machine.peerEnded(.truncated) == .nothing)
        #expect(scene.machine.peerEnded(.reset) == .nothing)
        #expect(scene.machine.peerEnd == .truncated)
        #expect(scene.close() == .checkProgress(after: .milliseconds(2500)))
        #expect(scene.machine.writingDelivered() == .closeTransport)
    }

    @Test func `of which both sides have ended before is closed at once`() {
        var scene = Scene()
        #expect(scene.machine.closeWriting(isBroken: false) == .withCloseNotify)
        #expect(scene.machine.writingDelivered() == .nothing)
        #expect(scene.machine.peerEnded(.truncated) == .nothing)
        #expect(scene.machine.close(sendsCloseNotify: true, timeout: .seconds(10)) == .endCalls(then: .closeTransport))
        #expect(scene.isReleased)
    }

    @Test func `closes its writing once`() {
        var scene = Scene()
        #expect(scene.machine.closeWriting(isBroken: false) == .withCloseNotify)
        #expect(scene.machine.close(sendsCloseNotify: true, timeout: .seconds(10)) == .endCalls(then: .deliver))
        #expect(scene.machine.closeWriting(isBroken: false) == .nothing)
    }

    @Test func `is closed once`() {
        var scene = Scene()
        _ = scene.close()
        #expect(scene.machine.close(sendsCloseNotify: false, timeout: .seconds(1)) == .nothing)
        #expect(scene.machine.abort() == .closeTransport)
        #expect(scene.machine.close(sendsCloseNotify: true, timeout: .seconds(10)) == .nothing)
        #expect(scene.machine.abort() == .nothing)
        scene.machine.transportGone()
        #expect(scene.machine.close(sendsCloseNotify: true, timeout: .seconds(10)) == .nothing)
        #expect(scene.machine.abort() == .nothing)
    }

    // MARK: How long

    @Test func `waits for one timeout if its peer is silent`() {
        var scene = Scene()
        scene.undelivered = 100
        _ = scene.close()
        #expect(scene.wait(.seconds(60)) == .seconds(10))
    }

    @Test func `waits as long if everything has been taken, and the peer does not end`() {
        var scene = Scene()
        scene.acknowledged = nil
        _ = scene.close()
        // The first time that the peer is asked there is nothing to compare its answer with.
        scene.acknowledged = 5
        #expect(scene.wait(.seconds(60)) == .seconds(10))
    }

    @Test func `waits on while the operating system takes a little`() {
        var scene = Scene()
        scene.undelivered = 100
        _ = scene.close()
        for _ in 0..<5 {
            #expect(scene.wait(.seconds(9)) == nil)
            scene.undelivered -= 1
        }
        // The timeout begins with the check that sees the last progress, 2.5 s after it.
        #expect(scene.wait(.seconds(60)) == .milliseconds(12_500))
    }

    @Test func `waits on while the peer acknowledges a little`() {
        var scene = Scene()
        scene.undelivered = 100
        _ = scene.close()
        for _ in 0..<5 {
            #expect(scene.wait(.seconds(9)) == nil)
            scene.acknowledged = (scene.acknowledged ?? 0) + 1
        }
        #expect(scene.wait(.seconds(60)) == .milliseconds(12_500))
    }

    @Test func `takes more that is undelivered for no progress`() {
        var scene = Scene()
        scene.undelivered = 100
        _ = scene.close()
        _ = scene.wait(.seconds(9))
        scene.undelivered = 200
        #expect(scene.wait(.seconds(60)) == .seconds(1))
    }

    @Test func `ends after twelve timeouts, whatever progress there is`() {
        var scene = Scene()
        scene.undelivered = 1000
        _ = scene.close()
        var waited = TimeAmount.zero
        while waited < .seconds(200) {
            scene.undelivered -= 1
            if let last = scene.wait(.seconds(1)) {
                waited = waited + last
                break
            }
            waited = waited + .seconds(1)
        }
        #expect(waited == .seconds(120))
    }

    @Test func `looks at least once in a timeout that is no time at all`() {
        var scene = Scene()
        #expect(scene.close(timeout: .zero) == .checkProgress(after: .zero))
        #expect(scene.wait(.zero) == .zero)
    }

    @Test func `can wait practically for ever`() {
        var scene = Scene()
        _ = scene.close(timeout: .nanoseconds(.max / 3))
        #expect(scene.wait(.hours(24 * 365)) == nil)
    }

    // MARK: A peer that continues to send

    @Test func `discards 16 MiB, and no more`() {
        var scene = Scene()
        _ = scene.close()
        #expect(scene.machine.discard(16 << 20) == .nothing)
        #expect(scene.machine.discard(1) == .closeTransport)
        #expect(scene.machine.discard(1) == .nothing)
    }

    @Test func `does not count what the peer continues to send as progress`() {
        var scene = Scene()
        _ = scene.close()
        for _ in 0..<9 {
            #expect(scene.machine.discard(1000) == .nothing)
            #expect(scene.wait(.seconds(1)) == nil)
        }
        #expect(scene.machine.discard(1000) == .nothing)
        #expect(scene.wait(.seconds(1)) == .seconds(1))
    }

    // MARK: Hurry

    @Test func `leaves to the operating system what it has, when hastened`() {
        var scene = Scene()
        _ = scene.close()
        #expect(scene.machine.writingDelivered() == .nothing)
        #expect(scene.hasten() == .closeTransport)
    }

    @Test func `has half a second without progress when hastened, and a second in all`() {
        var scene = Scene()
        scene.undelivered = 100
        _ = scene.close()
        #expect(scene.hasten() == .checkProgress(after: .milliseconds(125)))
        var progressing = scene
        #expect(scene.wait(.seconds(60)) == .milliseconds(500))
        for _ in 0..<9 {
            progressing.undelivered -= 1
            #expect(progressing.wait(.milliseconds(100)) == nil)
        }
        progressing.undelivered -= 1
        #expect(progressing.wait(.seconds(60)) == .milliseconds(100))
    }

    @Test func `is hastened only while it closes`() {
        var scene = Scene()
        #expect(scene.hasten() == .nothing)
        scene.machine.transportGone()
        #expect(scene.hasten() == .nothing)
    }

    // MARK: Bad ends

    @Test func `is dropped when aborted meanwhile`() {
        var scene = Scene()
        scene.undelivered = 100
        _ = scene.close()
        #expect(scene.machine.abort() == .closeTransport)
        #expect(scene.look() == .nothing)
    }

    @Test func `because it was aborted does not say close_notify`() {
        var scene = Scene()
        #expect(scene.machine.abort() == .endCalls(then: .deliverAndDrop))
        #expect(scene.machine.closeWriting(isBroken: false) == .withoutCloseNotify)
        scene.machine.drop()
        #expect(scene.isReleased)
    }

    @Test func `because of an error does not say close_notify, and waits as ever`() {
        var scene = Scene()
        #expect(scene.close(sendsCloseNotify: false) == .checkProgress(after: .milliseconds(2500)))
    }

    @Test func `and cannot write does not say close_notify`() {
        var scene = Scene()
        #expect(scene.machine.close(sendsCloseNotify: true, timeout: .seconds(10)) == .endCalls(then: .deliver))
        #expect(scene.machine.closeWriting(isBroken: true) == .withoutCloseNotify)
    }

    @Test func `is dropped when a write fails`() {
        var scene = Scene()
        #expect(scene.machine.writingBroke() == .nothing)
        _ = scene.close()
        #expect(scene.machine.writingBroke() == .closeTransport)
        #expect(scene.machine.writingBroke() == .nothing)
    }

    // MARK: Before it is open, and after its transport has gone

    @Test func `during its handshake abandons that`() {
        var scene = Scene(isOpen: false)
        #expect(scene.machine.close(sendsCloseNotify: true, timeout: .seconds(10)) == .abandonHandshake)
        #expect(scene.machine.abort() == .abandonHandshake)
        #expect(scene.machine.closeWriting(isBroken: false) == .nothing)
        scene.machine.drop()
        #expect(scene.isReleased)
    }

    @Test func `after a failed handshake waits for a second at most`() {
        var scene = Scene(isOpen: false)
        #expect(scene.machine.handshakeFailed(timeout: .seconds(10)) == .endCalls(then: .deliver))
        #expect(scene.look() == .checkProgress(after: .milliseconds(250)))
        #expect(scene.wait(.seconds(60)) == .seconds(1))
        var shorter = Scene(isOpen: false)
        #expect(shorter.machine.handshakeFailed(timeout: .milliseconds(100)) == .endCalls(then: .deliver))
        #expect(shorter.look() == .checkProgress(after: .milliseconds(25)))
    }

    @Test func `because its peer is not accepted any more waits for a second at most, without close_notify`() {
        var scene = Scene()
        #expect(scene.machine.peerRefused(timeout: .seconds(10)) == .deliver)
        #expect(scene.machine.closeWriting(isBroken: true) == .withoutCloseNotify)
        // The program's own closing changes nothing.
        #expect(scene.machine.close(sendsCloseNotify: true, timeout: .seconds(10)) == .nothing)
        #expect(scene.machine.peerRefused(timeout: .seconds(10)) == .nothing)
        #expect(scene.look() == .checkProgress(after: .milliseconds(250)))
        #expect(scene.wait(.seconds(60)) == .seconds(1))
    }

    @Test func `whose peer is not accepted any more, and has ended, is closed at once`() {
        var scene = Scene()
        #expect(scene.machine.peerEnded(.finished) == .nothing)
        #expect(scene.machine.closeWriting(isBroken: false) == .withCloseNotify)
        #expect(scene.machine.writingDelivered() == .nothing)
        #expect(scene.machine.peerRefused(timeout: .seconds(10)) == .closeTransport)
        #expect(scene.isReleased)
    }

    @Test func `is lost when its transport goes before it is closed, and then closes at once`() {
        var scene = Scene()
        scene.machine.transportGone()
        #expect(scene.isLost)
        #expect(scene.machine.isTransportGone)
        #expect(scene.machine.close(sendsCloseNotify: true, timeout: .seconds(10)) == .endCalls(then: .nothing))
        #expect(scene.isClosed)
        #expect(scene.machine.isTransportGone)
    }

    @Test(arguments: [false, true])
    func `is closed when its transport goes`(wasOpen: Bool) {
        var scene = Scene(isOpen: wasOpen)
        if wasOpen { _ = scene.close() }
        scene.machine.transportGone()
        #expect(scene.isClosed)
        #expect(scene.look() == .nothing)
    }
}
