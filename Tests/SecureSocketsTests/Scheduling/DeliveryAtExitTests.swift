import Foundation
import NIOCore
import NIOPosix
import SecureSockets
import TestSupport
import Testing

/// What was accepted before a program ends. Each program is a process of its own, which ends as programs do: with `exit`.
@Suite(.timeLimit(.minutes(5))) struct `When a program ends` {
    /// More than operating systems take for a peer that does not read.
    private static let size = 16 << 20
    private let certificates: TestCertificates

    init() throws { self.certificates = try TestCertificates.shared.get() }

    /// A client that accepts everything at once.
    private static func connect(to port: Int, on group: any EventLoopGroup) async throws -> SecureSocket {
        var options = SocketOptions()
        options.sendHighWaterMark = 2 * Self.size
        return try await SecureSocket.connect(
            to: "127.0.0.1", port: port, tls: TLSClientConfiguration(verification: .dangerouslyNone), socketOptions: options,
            on: group)
    }

    private static func group(isOurs: Bool) -> any EventLoopGroup {
        isOurs ? SocketEventLoopGroup.shared : MultiThreadedEventLoopGroup.singleton
    }

    /// Plays a server that reads nothing until the program has come to its end, and counts what it reads then; the answer is nil if the
    /// stream ends without `close_notify`.
    private func serve(_ listener: RawListener, _ end: RawListener) async throws -> Int? {
        let tls = try self.certificates.serverConfiguration()
        return try await listener.play { socket in
            let peer = try RawTLSPeer(server: tls, on: socket)
            try Self.waitForEnd(end)
            var count = 0
            do {
                while let text = try peer.receive() { count += text.utf8.count }
            } catch let failure as RawSocket.Failure where failure.number == 0 {
                return nil
            }
            return count
        }
    }

    /// Waits on this thread until the program connects and leaves, as the last thing that it does.
    private static func waitForEnd(_ listener: RawListener) throws {
        try listener.accept().receiveUntilEnd()
    }

    private static func tellEnd(_ port: Int) throws {
        try RawSocket.connect(to: port).close()
    }

    @Test(arguments: [true, false])
    func `what it has sent and closed is delivered to the end`(_ isOurs: Bool) async throws {
        let (listener, end) = try (RawListener(), RawListener())
        async let count = self.serve(listener, end)
        let (port, endPort) = (listener.port, end.port)
        await #expect(processExitsWith: .success) { [port = port as Int, endPort = endPort as Int, isOurs = isOurs as Bool] in
            let socket = try await Self.connect(to: port, on: Self.group(isOurs: isOurs))
            try await socket.send(ByteBuffer(repeating: 0x61, count: Self.size))
            socket.close()
            try Self.tellEnd(endPort)
        }
        #expect(try await count == Self.size)
    }

    @Test(arguments: [true, false])
    func `what it has sent and not closed is delivered, and the end is not called clean`(_ isOurs: Bool) async throws {
        let (listener, end) = try (RawListener(), RawListener())
        let tls = try self.certificates.serverConfiguration()
        async let count = listener.play { socket in
            let peer = try RawTLSPeer(server: tls, on: socket)
            try Self.waitForEnd(end)
            var count = 0
            while count < Self.size, let text = try peer.receive() { count += text.utf8.count }
            #expect(throws: RawSocket.Failure.self) { try peer.receive() }
            return count
        }
        let (port, endPort) = (listener.port, end.port)
        await #expect(processExitsWith: .success) { [port = port as Int, endPort = endPort as Int, isOurs = isOurs as Bool] in
            let socket = try await Self.connect(to: port, on: Self.group(isOurs: isOurs))
            try await socket.send(ByteBuffer(repeating: 0x61, count: Self.size))
            try Self.tellEnd(endPort)
            withExtendedLifetime(socket) {}
            exit(EXIT_SUCCESS)
        }
        #expect(try await count == Self.size)
    }

    @Test func `which a handler does on its own event loop, what it has sent is delivered`() async throws {
        let (ports, end) = try (RawListener(), RawListener())
        async let count = ports.play { control in
            let port = try #require(Int(String(decoding: control.receive(exactly: 5), as: UTF8.self)))
            let socket = try RawSocket.connect(to: port)
            let peer = try RawTLSPeer(client: TLSClientConfiguration(verification: .dangerouslyNone), on: socket)
            try Self.waitForEnd(end)
            var count = 0
            while count < Self.size, let text = try peer.receive() { count += text.utf8.count }
            return count
        }
        let (port, endPort) = (ports.port, end.port)
        await #expect(processExitsWith: .success) { [port = port as Int, endPort = endPort as Int] in
            var options = SocketOptions()
            options.sendHighWaterMark = 2 * Self.size
            let listener = try await SecureListener.bind(
                host: "127.0.0.1", port: 0, tls: TestCertificates.shared.get().serverConfiguration(), socketOptions: options)
            let control = try RawSocket.connect(to: port)
            try control.send(String(format: "%05d", listener.localEndpoint.port))
            try await listener.serve { socket in
                try await socket.send(ByteBuffer(repeating: 0x61, count: Self.size))
                try Self.tellEnd(endPort)
                exit(EXIT_SUCCESS)
            }
        }
        #expect(try await count == Self.size)
    }

    @Test func `it does not wait for a peer that never reads`() async throws {
        let listener = try RawListener()
        let tls = try self.certificates.serverConfiguration()
        let hasEnded = DispatchSemaphore(value: 0)
        async let played: Void = listener.play { socket in
            let peer = try RawTLSPeer(server: tls, on: socket)
            hasEnded.wait()
            withExtendedLifetime(peer) {}
        }
        let port = listener.port
        await #expect(processExitsWith: .success) { [port = port as Int] in
            let socket = try await Self.connect(to: port, on: SocketEventLoopGroup.shared)
            try await socket.send(ByteBuffer(repeating: 0x61, count: Self.size))
            socket.close()
        }
        hasEnded.signal()
        try await played
    }
}
