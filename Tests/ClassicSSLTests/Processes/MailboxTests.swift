import ClassicSSL
import NIOCore
import SecureSockets
import Testing

@Suite(.timeLimit(.minutes(5))) struct `Two active ends` {
    @Test(arguments: [[.packet(4)], []] as [[SSL.Option]], [1_000, 1 << 20])
    func `that both send 20 MB before they receive complete the exchange`(options: [SSL.Option], size: Int) async throws {
        let total = 20_000_000 / size * size
        @Sendable func exchange(on socket: SSL.Socket) async throws {
            #expect(socket.secureSocket?.options.mailboxHighWaterMark == SSL.mailboxHighWaterMark)
            let piece = ByteBuffer(repeating: 7, count: size)
            for _ in 0..<total / size { try await SSL.send(socket, .binary(piece)) }
            var received = 0
            while received < total, case .ssl(socket, .binary(let bytes)) = try await SSL.receive(patience) {
                received += bytes.readableBytes
            }
            #expect(received == total)
        }
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener([.binary] + options)
            let port = try SSL.port(listener)
            let server = SSL.spawn { try await exchange(on: SSL.accept(listener, patience)) }
            try await exchange(on: SSL.connect("127.0.0.1", port, [.binary] + options, patience))
            try await server.task.value
        }
    }
}
