import Foundation
import NIOCore
import NIOPosix
import SecureSocketsTesting
import TLSEngine
import TestSupport
import Testing

@testable import SecureSockets

@Suite struct `An idle connection` {
    @Test(arguments: ["", "a message"])
    func `keeps no buffer after sending`(_ text: String) async throws {
        let certificates = try TestCertificates.shared.get()
        let pair = try await StreamPair.overLoopback(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration())
        let (client, server) = (pair.client, pair.server)
        // The loop has a buffer to spare by now.
        try await client.send([UInt8](repeating: 7, count: 10_000))
        _ = try await server.receive(exactly: 10_000)
        try await client.send(text)
        try await client.send("!")
        _ = try await server.receive(exactly: text.utf8.count + 1)
        try await client.send(text)
        try await server.send("all of it has come")
        _ = try await client.receive()
        let connection = client.connection
        let capacity = try await connection.wait(.sending) { (waiter: Waiter<Int>) in
            waiter.resume(.success(connection.tls?.bufferCapacity ?? 0))
        } forget: { _ in
            .failure(.cancelled(.sending))
        }
        #expect(capacity == 0)
    }
}

@Suite struct `What has arrived` {
    @Test func `is received although sending has failed while nothing more was read`() async throws {
        let certificates = try TestCertificates.shared.get()
        let tls = try certificates.serverConfiguration()
        let text = String(repeating: "more than is read ahead ", count: 1500)
        let listener = try RawListener()
        let (isHeld, hasReset) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        async let played: Void = listener.play { socket in
            let peer = try RawTLSPeer(server: tls, on: socket)
            try socket.send(peer.record(text))
            isHeld.wait()
            socket.reset()
            hasReset.signal()
        }
        var options = SocketOptions()
        options.readAhead = 1000
        let client = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.port, tls: certificates.clientConfiguration(), socketOptions: options)
        #expect(try await client.receive(exactly: 1) == ByteBuffer(string: "m"))
        // The write comes first, before the loop hears of the reset.
        let connection = client.connection
        connection.onLoop {
            isHeld.signal()
            hasReset.wait()
            connection.transport.write(ByteBuffer(string: "is anybody there?"))
        }
        try await played
        await #expect(throws: SecureSocketError.self) { while true { try await client.send("is anybody there?") } }
        var received = ByteBuffer()
        let end = await #expect(throws: SecureSocketError.self) {
            while var bytes = try await client.receive() { received.writeBuffer(&bytes) }
        }
        #expect(end?.code == .connectionReset)
        #expect(received == ByteBuffer(string: String(text.dropFirst())))
    }
}
