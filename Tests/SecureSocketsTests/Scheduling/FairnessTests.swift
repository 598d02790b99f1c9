import Dispatch
import NIOCore
import NIOPosix
import SecureSockets
import Synchronization
import TestSupport
import Testing

/// A connection that has much to do gets its share of an event loop's round, and no more, however little each thing is.
///
/// Both clients' bytes have arrived before the loop looks at either, so that the order of what happens then does not depend on a clock.
@Suite(.timeLimit(.minutes(5))) struct `A peer that floods` {
    enum Loops: CaseIterable, Sendable {
        case epoll, nio

        func withOneLoop(_ body: (any EventLoopGroup) async throws -> Void) async throws {
            let group: any EventLoopGroup =
                try self == .epoll
                ? SocketEventLoopGroup(numberOfLoops: 1) : MultiThreadedEventLoopGroup(numberOfThreads: 1)
            try await body(group)
            try await group.shutdownGracefully()
        }
    }

    /// How the flood is received.
    enum Receiving: CaseIterable, Sendable { case receive, incoming, mailbox }

    /// Counts what was taken of the flood, and notes how much that was when the honest client's message came.
    final class Score: Sendable {
        let taken = Atomic<Int>(0)
        let takenBeforeHonest = Atomic<Int>(-1)

        func countOne() { self.taken.wrappingAdd(1, ordering: .relaxed) }
    }

    private static func takeAll(from socket: SecureSocket, _ receiving: Receiving, _ score: Score) async throws {
        switch receiving {
        case .receive: while try await socket.receive() != nil { score.countOne() }
        case .incoming: for try await _ in socket.incoming { score.countOne() }
        case .mailbox:
            let mailbox = Mailbox()
            try await socket.deliver(to: mailbox)
            while case .received = try await mailbox.next() { score.countOne() }
        }
    }

    /// Holds the thread of a loop up until it is let go.
    private struct Blockade {
        private let gate = DispatchSemaphore(value: 0)

        init(of loop: any EventLoop) async {
            await withCheckedContinuation { blocked in
                let gate = self.gate
                loop.execute {
                    blocked.resume()
                    gate.wait()
                }
            }
        }

        func end() { self.gate.signal() }
    }

    /// How much of a flood was taken before the honest client's message, and how much in all.
    ///
    /// - Parameters:
    ///   - flood: A stream of packets with a header of one byte.
    ///   - size: The number of its bytes in each TLS record.
    private func takenBeforeHonest(
        _ flood: ByteBuffer, inRecordsOf size: Int, _ receiving: Receiving, on group: any EventLoopGroup
    ) async throws -> (before: Int, inAll: Int) {
        let certificates = try TestCertificates.shared.get()
        var packets = SocketOptions.patient
        packets.framing = .oneByteLength
        packets.mailboxHighWaterMark = 64 << 20
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), socketOptions: packets, on: group)
        let score = Score()
        let serving = Task {
            try await listener.serve { socket in
                // The first packet says who it is.
                let isFlood = try await socket.receive() == ByteBuffer(string: "flood")
                try await socket.send("go on")
                if isFlood { return try await Self.takeAll(from: socket, receiving, score) }
                while let packet = try await socket.receive() {
                    score.takenBeforeHonest.store(score.taken.load(ordering: .relaxed), ordering: .relaxed)
                    try await socket.send(packet)
                }
            }
        }
        func connect(as name: String, _ options: SocketOptions) async throws -> SecureSocket {
            let socket = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.localEndpoint.port, tls: certificates.clientConfiguration(),
                socketOptions: options,
                timeout: Encounter.patience)
            // A plain client writes the header itself.
            var greeting = options.framing == .none ? ByteBuffer(integer: UInt8(name.utf8.count)) : ByteBuffer()
            greeting.writeString(name)
            try await socket.send(greeting)
            _ = try await socket.receive()
            return socket
        }
        var plain = SocketOptions.patient
        plain.sendHighWaterMark = 8 << 20
        let flooding = try await connect(as: "flood", plain)
        let honest = try await connect(as: "honest", packets)
        let blockade = await Blockade(of: group.next())
        // Each send is a record of its own.
        var rest = flood
        while let part = rest.readSlice(length: min(size, rest.readableBytes)), part.readableBytes > 0 {
            try await flooding.send(part)
        }
        try await flooding.closeWriting()
        try await honest.send("ping")
        try await honest.closeWriting()
        blockade.end()
        #expect(try await honest.receive() == ByteBuffer(string: "ping"))
        #expect(try await flooding.receive() == nil)
        listener.close()
        try await serving.value
        return (score.takenBeforeHonest.load(ordering: .relaxed), score.taken.load(ordering: .relaxed))
    }

    @Test(arguments: Loops.allCases, Receiving.allCases)
    func `with empty packets does not keep the loop from another connection`(loops: Loops, receiving: Receiving) async throws {
        try await loops.withOneLoop { group in
            let count = 60_000
            let (before, inAll) = try await self.takenBeforeHonest(
                ByteBuffer(repeating: 0, count: count), inRecordsOf: count, receiving, on: group)
            #expect(inAll == count)
            #expect((0..<600).contains(before))
        }
    }

    @Test(arguments: Loops.allCases, Receiving.allCases)
    func `with records of one byte does not keep the loop from another connection`(
        loops: Loops, receiving: Receiving
    ) async throws {
        try await loops.withOneLoop { group in
            let count = 10_000
            let (before, inAll) = try await self.takenBeforeHonest(
                ByteBuffer(repeating: 0, count: count), inRecordsOf: 1, receiving, on: group)
            #expect(inAll == count)
            #expect((0..<600).contains(before))
        }
    }
}
