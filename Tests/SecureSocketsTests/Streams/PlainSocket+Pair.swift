import NIOCore
import SocketCore
import TestSupport

@testable import SecureSockets

extension PlainSocket {
    /// Runs `body` with the two ends of a plain connection, and closes them.
    static func withPair(
        on group: any EventLoopGroup, _ body: (_ client: PlainSocket, _ server: PlainSocket) async throws -> Void
    ) async throws {
        let listener = try await PlainListener.bind(host: "127.0.0.1", port: 0, on: group)
        async let accepted = listener.accept(timeout: Encounter.patience)
        let client = try await PlainSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, timeout: Encounter.patience, on: group)
        let server = try await accepted
        try await body(client, server)
        client.close()
        server.close()
        listener.close()
    }

    /// Waits until a number of bytes have arrived that no call has received.
    func untilUnread(_ count: Int) async {
        let connection = self.connection
        while true {
            let unread = await withCheckedContinuation { continuation in
                connection.onLoop { continuation.resume(returning: connection.machine.queue.bytes.readableBytes) }
            }
            if unread >= count { return }
            await Task.yield()
        }
    }
}
