import NIOCore
import NIOPosix
import TLSEngine
import TestSupport
import Testing

@testable import SecureSockets

/// What the operating system does that a peer did not ask for, or that a peer asked for and no honest one does.
@Suite(.timeLimit(.minutes(5))) struct `A transport's faults` {
    private static let groups: [any EventLoopGroup] = [
        SocketEventLoopGroup.shared, MultiThreadedEventLoopGroup.singleton,
    ]

    @Test(arguments: [0, 1])
    func `a write that fails in the handshake ends it at once, also without a deadline`(group: Int) async throws {
        let loop = Self.groups[group].next()
        let tls = try TestCertificates.shared.get().clientConfiguration()
        let outcome = await withCheckedContinuation { (done: CheckedContinuation<Result<Void, SecureSocketError>, Never>) in
            loop.execute {
                let transport = FailingTransport(on: loop)
                do {
                    let engine = try TLSEngine(client: tls.context, serverName: nil, expecting: nil)
                    let connection = Connection(
                        transport: transport, engine: engine, options: SocketOptions(), peerName: "the peer")
                    transport.attach(to: connection)
                    connection.start(timeout: nil) { done.resume(returning: $0) }
                } catch {
                    done.resume(returning: .failure(.closed(.handshake)))
                }
            }
        }
        guard case .failure(let error) = outcome else {
            Issue.record("the handshake is complete")
            return
        }
        #expect(error.code == .accessDenied)
        #expect(error.step == .handshake)
        #expect(error.message == "the connection to the peer was lost: Operation not permitted")
    }

    @Test(arguments: [0, 1])
    func `an urgent byte is a byte of the stream, and what follows it is not overlooked`(group: Int) async throws {
        let certificates = try TestCertificates.shared.get()
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), socketOptions: .patient, options: .patient,
            on: Self.groups[group])
        let tls = try certificates.clientConfiguration()
        let port = listener.localEndpoint.port
        async let sent: Void = onThread {
            let socket = try RawSocket.connect(to: port)
            let peer = try RawTLSPeer(client: tls, on: socket)
            for number in 0..<100 {
                let record = try peer.record("message \(number % 10)")
                // One byte of each is urgent: the first, the last, or one in between.
                let urgent = number * 7 % record.count
                try socket.send(record[..<urgent])
                try socket.sendUrgent(record[urgent])
                try socket.send(record[(urgent + 1)...])
            }
            _ = try peer.receive()
            socket.close()
        }
        let server = try await listener.accept(timeout: Encounter.patience)
        for number in 0..<100 {
            #expect(
                try await server.receive(exactly: 9, timeout: Encounter.patience) == ByteBuffer(string: "message \(number % 10)"))
        }
        server.close()
        try await sent
        listener.close()
    }
}
