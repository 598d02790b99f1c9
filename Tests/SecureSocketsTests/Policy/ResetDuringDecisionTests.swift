import Dispatch
import NIOCore
import NIOPosix
import SecureSockets
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `A client that resets its connection while the program decides` {
    enum Loops: CaseIterable, Sendable { case epoll, nio }

    /// The loop sees the hello and the reset at once, because it is blocked while they arrive.
    @Test(arguments: Loops.allCases)
    func `ends the decision, also if the reset arrives with the hello`(loops: Loops) async throws {
        let group: any EventLoopGroup =
            try loops == .epoll ? SocketEventLoopGroup(numberOfLoops: 1) : MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let certificates = try TestCertificates.shared.get()
        let tls = try TLSServerConfiguration(
            identities: [ServerIdentity(for: [], certificates.server.identity)],
            selectIdentity: { _ in
                await untilCancelled()
                throw CancellationError()
            })
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: .patient, on: group)
        let failures = AsyncStream<SecureSocketError.Code>.makeStream()
        async let serving: Void = listener.serve(handshakeFailed: { error, _ in failures.continuation.yield(error.code) }) { _ in
        }

        let gate = DispatchSemaphore(value: 0)
        await withCheckedContinuation { blocked in
            group.next().execute {
                blocked.resume()
                gate.wait()
            }
        }
        let port = listener.localEndpoint.port
        try await onThread {
            let socket = try RawSocket.connect(to: port)
            var hello = RawClientHello()
            hello.cipherSuites = [0x1301, 0xc02b]
            hello.supportedVersions = [0x0304, 0x0303]
            try socket.send(hello.record)
            socket.reset()
        }
        gate.signal()
        #expect(await failures.stream.first { _ in true } == .connectionReset)
        #expect(listener.statistics.handshakesInProgress == 0)
        listener.close()
        try await serving
        try await group.shutdownGracefully()
    }
}
