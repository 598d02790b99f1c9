import ClassicSSL
import Foundation
import SecureSockets
import TestSupport
import Testing

@Suite("§4.4 Half-close", .countsRules, .timeLimit(.minutes(5)))
struct HalfCloseTests {
    @Test func `4_4 row 1: both directions are good`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(connect: [.active(false)])
            try await SSL.send(pair.accepted, "to and")
            try await SSL.send(pair.connected, "fro")
            #expect(try await receive(6, from: pair.connected) == Array("to and".utf8))
            #expect(try await Note.next(of: pair.accepted) == .text("fro"))
        }
    }

    @Test func `2 close: what was sent is delivered also when the program ends right after it`() async throws {
        let listener = try RawListener()
        let tls = try TestCertificates.shared.get().serverConfiguration()
        async let received = listener.play { socket in
            let peer = try RawTLSPeer(server: tls, on: socket)
            return [try peer.receive(), try peer.receive()]
        }
        let port = listener.port
        await #expect(processExitsWith: .success) { [port = port as Int] in
            try await SSL.withProcess { _ in
                let socket = try await SSL.connect("127.0.0.1", port, [], patience)
                try await SSL.send(socket, "hello")
                SSL.close(socket)
            }
        }
        #expect(try await received == ["hello", nil])
    }

    // The seed's own example: a write has failed, and what had arrived can still be read.
    @Test func `4_4 row 2: after a failed send, what arrived is still received`() async throws {
        try await self.withPeer { peer in
            try peer.socket.send(peer.record("ab"))
            // The client has taken the first byte, and so the second is in its hands as well.
            _ = try peer.receive()
            peer.socket.reset()
        } client: { (client: SSL.Socket) async throws in
            #expect(try await SSL.recv(client, 1, patience).text == "a")
            #expect(await Self.sendUntilRefused(client) == .closed)
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(client, "ever after") }
            #expect(try await SSL.recv(client, 0, patience).text == "b")
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, patience) }
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(client, "ever after") }
        }
    }

    @Test func `4_4 row 2: after a failed send, messages are the data and then ssl_closed`() async throws {
        try await self.withPeer(options: [.active(true)]) { peer in
            try peer.socket.send(peer.record("data"))
            _ = try peer.receive()
            peer.socket.reset()
        } client: { (client: SSL.Socket) async throws in
            #expect(try await Note.next(of: client) == .text("data"))
            #expect(await Self.sendUntilRefused(client) == .closed)
            #expect(try await Note.next(of: client) == .closed)
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(client, "ever after") }
        }
    }

    @Test(arguments: [true, false])
    func `4_4 row 3: data, then closed, with close_notify or without`(_ isOrderly: Bool) async throws {
        try await self.withPeer { peer in
            try peer.socket.send(peer.record("data") + (isOrderly ? peer.closeNotify() : []))
        } client: { (client: SSL.Socket) async throws in
            #expect(try await receive(4, from: client) == Array("data".utf8))
            for _ in 0..<2 { await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, patience) } }
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(client, "too late") }
        }
        try await self.withPeer(options: [.active(true)]) { peer in
            try peer.socket.send(peer.record("data") + (isOrderly ? peer.closeNotify() : []))
        } client: { (client: SSL.Socket) async throws in
            #expect(try await Note.next(of: client) == .text("data"))
            #expect(try await Note.next(of: client) == .closed)
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(client, "too late") }
        }
    }

    @Test func `4_4 row 3: a reset while reading is the end of the stream`() async throws {
        try await self.withPeer { peer in
            _ = try peer.receive()
            peer.socket.reset()
        } client: { (client: SSL.Socket) async throws in
            try await SSL.send(client, "go")
            for _ in 0..<2 { await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, patience) } }
        }
    }

    @Test func `4_4: the peer's close_notify leaves us able to send until its end has been reported`() async throws {
        try await self.withPeer { peer in
            try peer.socket.send(peer.record("bye") + peer.closeNotify())
            // Ours comes with `close`, and not before.
            let heard = [try peer.receive(), try peer.receive()]
            guard heard == ["still here", nil] else { throw Surprise(heard: heard) }
        } client: { (client: SSL.Socket) async throws in
            #expect(try await receive(3, from: client) == Array("bye".utf8))
            try await SSL.send(client, "still here")
            SSL.close(client)
        }
    }

    @Test func `4_4: a TLS error after the handshake is esslerrssl once, and then closed`() async throws {
        let play: @Sendable (RawTLSPeer) throws -> Void = { peer in
            try peer.socket.send(try peer.record("good"))
            var broken = try peer.record("broken")
            broken[broken.count - 1] ^= 1
            try peer.socket.send(broken)
            try peer.socket.receiveUntilEnd()
        }
        try await self.withPeer(play) { (client: SSL.Socket) async throws in
            #expect(try await receive(4, from: client) == Array("good".utf8))
            await #expect(throws: SSL.Reason.esslerrssl) { try await SSL.recv(client, 0, patience) }
            for _ in 0..<2 { await #expect(throws: SSL.Reason.closed) { try await SSL.recv(client, 0, patience) } }
            SSL.close(client)
        }
        try await self.withPeer(options: [.active(true)], play) { (client: SSL.Socket) async throws in
            #expect(try await Note.next(of: client) == .text("good"))
            #expect(try await Note.next(of: client) == .error(.esslerrssl))
            #expect(try await Note.next(of: client) == .closed)
            SSL.close(client)
        }
    }

    @Test func `4_4: any other read error is told once, and then closed`() async throws {
        try await SSL.withProcess { _ in
            let passive = try await Pair(both: [.active(false)]).connected
            try await passive.fail(with: ETIMEDOUT)
            await #expect(throws: SSL.Reason.etimedout) { try await SSL.recv(passive, 0, patience) }
            for _ in 0..<2 { await #expect(throws: SSL.Reason.closed) { try await SSL.recv(passive, 0, patience) } }

            let active = try await Pair(connect: [.active(true)]).connected
            try await active.fail(with: EHOSTUNREACH)
            #expect(try await Note.next(of: active) == .error(.ehostunreach))
            #expect(try await Note.next(of: active) == .closed)
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(active, "too late") }
        }
    }

    @Test func `4_4 row 5: closed here`() async throws {
        try await SSL.withProcess { process in
            let pair = try await Pair(both: [.active(false)])
            SSL.close(pair.accepted)
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(pair.accepted, "") }
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.accepted, 0) }
            SSL.close(pair.connected)
            try await pair.accepted.waitUntilGone()
            #expect(process.messageCount == 0)
        }
    }

    struct Surprise: Error {
        let heard: [String?]
    }

    /// Connects to a server that sends its records one by one.
    private func withPeer(
        options: [SSL.Option] = [.active(false)], _ play: @escaping @Sendable (RawTLSPeer) throws -> Void,
        client body: (SSL.Socket) async throws -> Void
    ) async throws {
        let listener = try RawListener()
        let tls = try TestCertificates.shared.get().serverConfiguration()
        try await SSL.withProcess { _ in
            async let played: Void = listener.play { try play(try RawTLSPeer(server: tls, on: $0)) }
            try await body(try await SSL.connect("127.0.0.1", listener.port, options, patience))
            try await played
        }
    }

    /// Sends until that is refused: the first bytes to a peer that is gone are still taken.
    private static func sendUntilRefused(_ socket: SSL.Socket) async -> SSL.Reason? {
        await reason {
            while true {
                try await SSL.send(socket, "is anybody there?")
                await Task.yield()
            }
        }
    }
}
