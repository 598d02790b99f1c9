import Dispatch
import NIOCore
import SecureSocketsTesting
import Synchronization
import TestSupport
import Testing

@testable import SecureSockets

/// The checks of open connections after an update (`ListenerOptions.openConnections`).
@Suite(.timeLimit(.minutes(5))) struct `The open connections of a listener` {
    private let authority: DevelopmentAuthority
    private let clients: DevelopmentAuthority

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.clients = try DevelopmentAuthority(commonName: "clients")
    }

    private func server(trusting clients: DevelopmentAuthority) throws -> TLSServerConfiguration {
        try TLSServerConfiguration(identity: self.authority.server().identity, clients: .required(trust: clients.trust))
    }

    @Test func `are checked a few at a time after an update, and all in the end`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        let loop = group.next()
        var options = ListenerOptions.patient
        options.openConnections = .endIfRefused(grace: Encounter.patience)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.server(trusting: self.clients), socketOptions: .patient, options: options,
            on: group)
        let tls = try TLSClientConfiguration(
            trust: self.authority.trust, identity: self.clients.client(commonName: "client").identity)
        var sockets: [SecureSocket] = []
        var peers: [SecureSocket] = []
        for _ in 0..<10 {
            async let accepted = listener.accept(timeout: Encounter.patience)
            peers.append(
                try await SecureSocket.connect(
                    to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls, timeout: Encounter.patience))
            sockets.append(try await accepted)
        }
        let served = sockets

        // The loop is blocked, so that it finds the check and then the count.
        let gate = DispatchSemaphore(value: 0)
        await withCheckedContinuation { blocked in
            loop.execute {
                blocked.resume()
                gate.wait()
            }
        }
        try await listener.update(tls: self.server(trusting: DevelopmentAuthority(commonName: "others")))
        let counting = loop.submit { served.count { $0.connection.peerWatch?.isEnding == true } }
        gate.signal()
        #expect(try await counting.get() == WatchedPeers.checksPerRound)
        for socket in served {
            for try await _ in socket.incoming.untilShutdown {}
        }

        for socket in served + peers { socket.close() }
        listener.close()
        for socket in served + peers { try await socket.waitUntilClosed() }
        try await group.shutdownGracefully()
    }

    @Test func `that are accepted again within the grace period are not about to end any more`() async throws {
        let group = try SocketEventLoopGroup(numberOfLoops: 1)
        var options = ListenerOptions.patient
        options.openConnections = .endIfRefused(grace: Encounter.patience)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.server(trusting: self.clients), socketOptions: .patient, options: options,
            on: group)
        let tls = try TLSClientConfiguration(
            trust: self.authority.trust, identity: self.clients.client(commonName: "client").identity)
        async let accepted = listener.accept(timeout: Encounter.patience)
        let peer = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: tls, timeout: Encounter.patience)
        let served = try await accepted

        try await listener.update(tls: self.server(trusting: DevelopmentAuthority(commonName: "others")))
        for try await _ in served.incoming.untilShutdown {}
        try await listener.update(tls: self.server(trusting: self.clients))
        // Runs after the check.
        let isEnding = try await group.next().submit {
            served.connection.isShuttingDown || served.connection.isEndingForPeer
        }.get()
        #expect(!isEnding)
        async let next = served.incoming.untilShutdown.first { _ in true }
        try await peer.send("x")
        #expect(try await next == ByteBuffer(string: "x"))

        for socket in [served, peer] { socket.close() }
        listener.close()
        for socket in [served, peer] { try await socket.waitUntilClosed() }
        try await group.shutdownGracefully()
    }
}
