import Foundation
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import SecureSockets

/// To NIO, and to whoever knows NIO, our loops are event loops.
@Suite(.timeLimit(.minutes(2))) struct `A group of event loops` {
    @Test func `runs tasks on its threads, in their order, from wherever they come`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 2)
        let loop = group.next()
        #expect(!loop.inEventLoop)
        let order = Mutex<[Int]>([])
        for number in 0..<100 {
            loop.execute { order.withLock { $0.append(number) } }
        }
        let isInside = try await loop.submit { loop.inEventLoop && !group.next().inEventLoop }.get()
        #expect(isInside)
        #expect(order.withLock { $0 } == Array(0..<100))
        try await group.shutdownGracefully()
    }

    @Test func `spreads what asks for a loop over all of them`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 3)
        let loops = Set((0..<6).map { _ in ObjectIdentifier(group.next()) })
        #expect(loops.count == 3)
        try await group.shutdownGracefully()
    }

    @Test func `keeps timers, and forgets those that are cancelled`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        let loop = group.next()
        let order = Mutex<[String]>([])
        let late = loop.scheduleTask(in: .milliseconds(30)) { order.withLock { $0.append("late") } }
        let early = loop.scheduleTask(in: .milliseconds(10)) { order.withLock { $0.append("early") } }
        let never = loop.scheduleTask(in: .milliseconds(20)) { order.withLock { $0.append("never") } }
        never.cancel()
        try await early.futureResult.get()
        try await late.futureResult.get()
        await #expect(throws: EventLoopError.cancelled) { try await never.futureResult.get() }
        #expect(order.withLock { $0 } == ["early", "late"])
        try await group.shutdownGracefully()
    }

    @Test func `tells what a timer's task throws`() async throws {
        struct Refusal: Error {}
        let loop = SocketEventLoopGroup.shared.next()
        let failing = loop.scheduleTask(in: .zero) { throw Refusal() }
        await #expect(throws: Refusal.self) { try await failing.futureResult.get() }
    }

    @Test func `has at least one loop`() throws {
        let error = #expect(throws: SecureSocketError.self) { try SocketEventLoopGroup(numberOfLoops: 0) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func `closes its sockets when it is shut down, and the peer hears of it`() async throws {
        let certificates = try TestCertificates.shared.get()
        let group = try SocketEventLoopGroup(numberOfLoops: 2)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), on: group)
        async let accepted = listener.accept()
        let client = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: certificates.clientConfiguration())
        let server = try await accepted
        try await group.shutdownGracefully()
        await #expect(throws: SecureSocketError.self) { while try await client.receive() != nil {} }
        _ = server
    }

    @Test func `of the program is never shut down`() async throws {
        await #expect(throws: EventLoopError.unsupportedOperation) { try await SocketEventLoopGroup.shared.shutdownGracefully() }
        let answer = try await SocketEventLoopGroup.shared.next().submit { 42 }.get()
        #expect(answer == 42)
    }

    #if os(Linux)
        @Test func `gives its descriptors back`() async {
            await #expect(processExitsWith: .success) {
                _ = try await SocketEventLoopGroup.shared.next().submit {}.get()
                // Of all kinds, not only sockets and files.
                func count() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count }
                let before = try count()
                for _ in 0..<5 {
                    let group = try SocketEventLoopGroup(numberOfLoops: 2)
                    _ = try await group.next().submit {}.get()
                    try await group.shutdownGracefully()
                }
                #expect(try count() == before)
            }
        }
    #endif
}
