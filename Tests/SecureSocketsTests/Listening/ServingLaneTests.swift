import NIOCore
import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSockets

@Suite struct `A lane of connections` {
    @Test func `ends only after the last connection, which may come from another loop after the end was decided`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        let loop = group.next()
        let certificates = try TestCertificates.shared.get()
        let (client, server) = try await SecureSocket.connectedPair(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration(), on: loop)
        let lane = ServingLane(on: EventLoopExecutor.of(loop))
        let (order, next) = AsyncStream.makeStream(of: UInt64?.self)
        let task = Task(executorPreference: lane.executor) {
            while let served = await lane.next() { next.yield(served.id) }
            next.yield(nil)
            next.finish()
        }
        lane.end(after: 1)
        try await loop.submit { lane.append(ServedSocket(id: 7, socket: server)) }.get()
        #expect(await order.reduce(into: []) { $0.append($1) } == [7, nil])
        await task.value
        client.close()
        server.close()
        try await group.shutdownGracefully()
    }
}
