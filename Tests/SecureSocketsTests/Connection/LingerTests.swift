import NIOCore
import NIOEmbedded
import SocketCore
import TLSEngine
import TestSupport
import Testing

@testable import SecureSockets

@Suite struct `Closing` {
    private let loop = EmbeddedEventLoop()
    private let network: StandingTransport
    private let connection: Connection

    init() throws {
        let tls = try TestCertificates.shared.get().serverConfiguration()
        self.network = StandingTransport(on: self.loop)
        self.connection = Connection(
            transport: self.network, engine: try TLSEngine(server: tls.context), options: SocketOptions(), peerName: "a peer")
    }

    private func wait(_ seconds: Int64) { self.loop.advanceTime(by: .seconds(seconds)) }

    @Test func `waits ten seconds for a peer that takes nothing, and no longer`() {
        self.network.unsentBytes = 100_000
        self.connection.closeAsIfOpen()
        self.wait(9)
        #expect(!self.network.isClosed)
        self.wait(1)
        #expect(self.network.isClosed)
    }

    @Test func `waits ten seconds, and no longer, for a peer that has taken everything and does not close`() {
        self.connection.closeAsIfOpen()
        self.network.acknowledgedBytes = 100_000
        self.wait(9)
        #expect(!self.network.isClosed)
        self.wait(1)
        #expect(self.network.isClosed)
    }

    @Test func `discards what a peer goes on sending, up to 16 MiB`() {
        self.network.unsentBytes = 1
        self.connection.closeAsIfOpen()
        for _ in 0..<256 { self.connection.transportDelivered(ByteBuffer(repeating: 0, count: 64 << 10)) }
        #expect(!self.network.isClosed)
        self.connection.transportDelivered(ByteBuffer(repeating: 0, count: 1))
        #expect(self.network.isClosed)
    }

    @Test func `takes a second when the program is about to stop, and none if everything has been handed over`() {
        self.network.unsentBytes = 1
        self.connection.closeAsIfOpen()
        self.connection.hasten()
        self.loop.advanceTime(by: .milliseconds(499))
        #expect(!self.network.isClosed)
        self.loop.advanceTime(by: .milliseconds(1))
        #expect(self.network.isClosed)
    }

    @Test func `can wait practically for ever`() throws {
        var options = SocketOptions()
        options.lingerTimeout = .seconds(Int64.max)
        let network = StandingTransport(on: self.loop)
        let connection = Connection(
            transport: network, engine: try TLSEngine(server: try TestCertificates.shared.get().serverConfiguration().context),
            options: options, peerName: "a peer")
        network.unsentBytes = 1
        connection.closeAsIfOpen()
        self.wait(1_000_000)
        #expect(!network.isClosed)
    }

    @Test func `waits as long as the operating system takes more`() {
        self.network.unsentBytes = 100_000
        self.connection.closeAsIfOpen()
        for _ in 0..<5 {
            self.network.unsentBytes -= 1
            self.wait(10)
            #expect(!self.network.isClosed)
        }
        self.wait(10)
        #expect(self.network.isClosed)
    }

    @Test func `ends at last, though the peer takes a little now and then`() {
        self.network.unsentBytes = 100_000
        self.connection.closeAsIfOpen()
        for _ in 0..<12 {
            #expect(!self.network.isClosed)
            self.network.acknowledgedBytes += 1
            self.wait(10)
        }
        #expect(self.network.isClosed)
    }

    @Test func `waits about a second for a peer whose handshake has failed`() {
        self.network.acknowledgedBytes = 7
        self.connection.start(timeout: nil) { _ in }
        self.connection.transportDelivered(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        #expect(!self.network.isClosed)
        self.wait(2)
        #expect(self.network.isClosed)
    }

    /// The operating system takes a megabyte at a time; what a slow peer takes of it is seen only in the acknowledgements.
    @Test func `waits as long as a slow peer takes what the operating system has`() {
        self.network.unsentBytes = 100_000
        self.connection.closeAsIfOpen()
        for _ in 0..<5 {
            self.network.acknowledgedBytes += 1
            self.wait(10)
            #expect(!self.network.isClosed)
        }
        self.wait(10)
        #expect(self.network.isClosed)
    }
}

extension Connection {
    /// Closes a connection whose handshake is over. There was none, since the network does nothing.
    fileprivate func closeAsIfOpen() {
        self.closing.handshakeCompleted()
        self.close()
    }
}

/// A network that does nothing by itself.
private final class StandingTransport: Transport {
    let eventLoop: any EventLoop
    let localAddress: SocketAddress? = nil
    let remoteAddress: SocketAddress? = nil
    let isWritable = false
    var unsentBytes = 0
    var acknowledgedBytes: UInt64 = 0
    let unacknowledgedBytes = 0
    private(set) var isClosed = false

    init(on loop: any EventLoop) { self.eventLoop = loop }

    func write(_ bytes: ByteBuffer) {}
    func closeWriting(with bytes: ByteBuffer?, completion: @escaping () -> Void) {}
    func setReading(_ isReading: Bool) {}
    func setNoDelay(_ isOn: Bool, completion: @escaping (Result<Void, SecureSocketError>) -> Void) { completion(.success(())) }
    func close() { self.isClosed = true }
    func replaceConnection(with connection: Connection) {}
}
