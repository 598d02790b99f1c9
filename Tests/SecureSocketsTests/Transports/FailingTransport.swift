import NIOCore

@testable import SecureSockets

/// A transport whose writes fail, as they do when a packet filter forbids them, while nothing ever arrives.
///
/// Sendable without a check because it is touched on its loop only.
final class FailingTransport: Transport, @unchecked Sendable {
    let eventLoop: any EventLoop
    let localAddress: SocketAddress? = nil
    let remoteAddress: SocketAddress? = nil
    let isWritable = true
    let unsentBytes = 0
    let acknowledgedBytes: UInt64 = 0
    let unacknowledgedBytes = 0
    private var connection: Connection?
    private(set) var isClosed = false

    init(on loop: any EventLoop) {
        self.eventLoop = loop
    }

    func attach(to connection: Connection) {
        self.connection = connection
    }

    func write(_ bytes: ByteBuffer) {
        self.connection?.transportCannotSend(IOError(errnoCode: 1, reason: "send"))
    }

    func closeWriting(with bytes: ByteBuffer?, completion: @escaping () -> Void) { completion() }
    func setReading(_ isReading: Bool) {}
    func setNoDelay(_ isOn: Bool, completion: @escaping (Result<Void, SecureSocketError>) -> Void) { completion(.success(())) }

    func replaceConnection(with connection: Connection) { self.connection = connection }

    func close() {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.eventLoop.execute {
            self.connection?.transportClosed()
            self.connection = nil
        }
    }
}
