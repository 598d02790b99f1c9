import ClassicSSL
import Dispatch
import NIOCore
import NIOPosix
import SecureSockets
import Synchronization
import TestSupport
import Testing

/// A classic process gets its share of an event loop's round, and no more, however little each of its messages is.
///
/// All bytes of both clients have arrived before the loop looks at any, so that the order of what happens then does not depend on a clock.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `A classic process whose peer floods` {
    /// Starts a process on a loop. Processes are spread over the loops, each on the next.
    private static func spawn(
        on loop: any EventLoop, _ body: @escaping @Sendable () async throws -> Void
    ) async -> SSL.Spawned {
        while true {
            let (isThere, answer) = AsyncStream.makeStream(of: Bool.self)
            let spawned = SSL.spawn {
                let isThere = SocketEventLoopGroup.shared.any() === loop
                answer.yield(isThere)
                if isThere { try await body() }
            }
            for await isThere in isThere {
                if isThere { return spawned }
                break
            }
        }
    }

    /// How much of a flood its process had received when the honest client's message was received, and how much in all.
    ///
    /// - Parameters:
    ///   - flood: A stream of packets with a header of one byte.
    ///   - size: The number of its bytes in each TLS record.
    private static func takenBeforeHonest(
        _ flood: ByteBuffer, inRecordsOf size: Int
    ) async throws -> (before: Int, inAll: Int) {
        let taken = Atomic<Int>(0)
        let takenBeforeHonest = Atomic<Int>(-1)
        // The clients are on other threads than the loop that is held up.
        let clients = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = SocketEventLoopGroup.shared.next()
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener([.packet(1)])
            let port = try SSL.port(listener)
            let flooded = await Self.spawn(on: loop) {
                let socket = try await SSL.accept(listener, patience)
                try await SSL.send(socket, "welcome")
                while case .ssl(socket, _) = try await SSL.receive() { taken.wrappingAdd(1, ordering: .relaxed) }
            }
            let flooding = try await Self.connect(to: port, on: clients)
            let echo = await Self.spawn(on: loop) {
                let socket = try await SSL.accept(listener, patience)
                try await SSL.send(socket, "welcome")
                while case .ssl(socket, let bytes) = try await SSL.receive() {
                    takenBeforeHonest.store(taken.load(ordering: .relaxed), ordering: .relaxed)
                    try await SSL.send(socket, bytes)
                }
            }
            let honest = try await Self.connect(to: port, on: clients)
            let gate = DispatchSemaphore(value: 0)
            await withCheckedContinuation { blocked in
                loop.execute {
                    blocked.resume()
                    gate.wait()
                }
            }
            // Each send is a record of its own.
            var rest = flood
            while let part = rest.readSlice(length: min(size, rest.readableBytes)), part.readableBytes > 0 {
                try await flooding.send(part)
            }
            try await flooding.closeWriting()
            try await honest.send("\u{4}ping")
            // What was accepted for sending goes out at the end of the loop's tick.
            for _ in 0..<2 { try await clients.next().submit {}.get() }
            gate.signal()
            #expect(try await honest.receive(exactly: 5) == ByteBuffer(string: "\u{4}ping"))
            try await honest.closeWriting()
            try await flooded.task.value
            try await echo.task.value
        }
        try await clients.shutdownGracefully()
        return (takenBeforeHonest.load(ordering: .relaxed), taken.load(ordering: .relaxed))
    }

    private static func connect(to port: Int, on group: any EventLoopGroup) async throws -> SecureSocket {
        var options = SocketOptions.patient
        options.sendHighWaterMark = 8 << 20
        let socket = try await SecureSocket.connect(
            to: "127.0.0.1", port: port, tls: TLSClientConfiguration(trust: .only(.file(CertificateFiles.shared.ca))),
            socketOptions: options,
            timeout: Encounter.patience, on: group)
        #expect(try await socket.receive(exactly: 8) == ByteBuffer(string: "\u{7}welcome"))
        return socket
    }

    @Test func `with empty packets does not keep the loop from another process`() async throws {
        let count = 60_000
        let (before, inAll) = try await Self.takenBeforeHonest(ByteBuffer(repeating: 0, count: count), inRecordsOf: count)
        #expect(inAll == count)
        #expect((0..<600).contains(before))
    }

    @Test func `with packets of one byte does not keep the loop from another process`() async throws {
        let count = 60_000
        let (before, inAll) = try await Self.takenBeforeHonest(ByteBuffer(repeating: 1, count: 2 * count), inRecordsOf: 2 * count)
        #expect(inAll == count)
        #expect((0..<600).contains(before))
    }

    @Test func `with records of one byte does not keep the loop from another process`() async throws {
        let count = 10_000
        let (before, inAll) = try await Self.takenBeforeHonest(ByteBuffer(repeating: 0, count: count), inRecordsOf: 1)
        #expect(inAll == count)
        #expect((0..<600).contains(before))
    }
}
