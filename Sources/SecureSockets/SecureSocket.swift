import NIOCore
import TLSEngine

/// A TLS connection.
///
/// ```swift
/// let socket = try await SecureSocket.connect(to: "example.org", port: 443)
/// try await socket.send("GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")
/// var response = ByteBuffer()
/// for try await bytes in socket.incoming { response.writeImmutableBuffer(bytes) }
/// print(String(buffer: response))
/// socket.close()
/// ```
///
/// ``StreamSocket`` has the calls that it shares with ``PlainSocket``.
///
/// Sendable without a check, as its superclass is: its only stored property is immutable and `Sendable`.
public final class SecureSocket: StreamSocket, @unchecked Sendable {
    /// The parameters that the handshake negotiated: protocol version, cipher suite, group, application protocol and the peer's
    /// certificates.
    public let information: ConnectionInformation

    /// Creates the handle of an established connection.
    init(_ connection: Connection, _ information: ConnectionInformation) {
        self.information = information
        super.init(connection)
    }

    // MARK: Messages

    /// Starts delivering received bytes to a mailbox, which becomes the socket's owner.
    ///
    /// Bytes that have already arrived are delivered first. If the socket delivers to another mailbox, its messages there are moved to this
    /// one without loss, duplication or reordering. Waiting calls of ``receive(timeout:)`` fail with `wrongMode`. A closed mailbox closes
    /// the socket.
    ///
    /// - Parameters:
    ///   - mailbox: The mailbox to deliver to.
    ///   - count: The number of messages after which the socket is passive again; nil means no limit.
    /// - Throws: ``SecureSocketError``: `closed`, `cancelled`, `invalidArgument` for a count below 1.
    public func deliver(to mailbox: Mailbox, count: Int? = nil) async throws(SecureSocketError) {
        if let count, count < 1 { throw .invalidMessageCount(count) }
        try await self.connection.deliver(to: mailbox.storage, of: self, credit: count)
    }

    /// Makes a mailbox the socket's owner without changing the mode of delivery: a passive socket stays passive.
    ///
    /// The owner keeps the socket alive, and closes it when the owner itself is closed. Messages of this socket in the former owner's queue
    /// are moved to the new owner without loss, duplication or reordering, and precede those that arrive later. A closed mailbox closes the
    /// socket.
    ///
    /// - Parameters:
    ///   - mailbox: The new owner.
    ///   - former: The required present owner; nil if any owner may be replaced.
    /// - Throws: ``SecureSocketError``: `notOwner` if the present owner is another, `closed`, `cancelled`.
    package func setOwner(
        _ mailbox: Mailbox, from former: Mailbox? = nil
    ) async throws(SecureSocketError) {
        let connection = self.connection
        let (owner, formerOwner) = (mailbox.storage, former?.storage)
        try await connection.wait(.receiving) { (waiter: Waiter<Void>) in
            waiter.resume(connection.setOwner(owner, of: self, from: formerOwner))
        } forget: { _ in
            .failure(.cancelled(.receiving))
        }
    }

    /// Exports keying material that only the two ends of this connection can derive, for protocols that bind themselves to the connection
    /// (RFC 5705, RFC 8446 §7.5).
    ///
    /// - Parameters:
    ///   - label: The protocol's label, for example `EXPORTER-Channel-Binding`.
    ///   - context: The protocol's context. With TLS 1.2, nil and an empty context give different results.
    ///   - length: The number of bytes.
    /// - Throws: ``SecureSocketError``: `closed`, `cancelled`, `invalidArgument` if the library rejects the length, `invalidConfiguration`
    ///   if the material would not be unique to this connection: if the peer uses TLS 1.2 without the extended master secret (RFC 7627 §7).
    public func exportKeyingMaterial(
        label: String, context: [UInt8]? = nil, length: Int
    ) async throws(SecureSocketError) -> [UInt8] {
        let connection = self.connection
        return try await connection.wait(.handshake) { (waiter: Waiter<[UInt8]>) in
            waiter.resume(connection.exportKeyingMaterial(label: label, context: context, length: length))
        } forget: { _ in
            .failure(.cancelled(.handshake))
        }
    }
}

extension StreamSocket {
    /// The socket of a connection whose handshake has completed.
    func asSecure() -> Result<SecureSocket, SecureSocketError> {
        (self as? SecureSocket).map { .success($0) } ?? .failure(.closed(.handshake))
    }

    func secure() throws(SecureSocketError) -> SecureSocket { try self.asSecure().get() }
}

extension SecureSocketError {
    @inline(never) fileprivate static func invalidMessageCount(_ count: Int) -> SecureSocketError {
        SecureSocketError(.invalidArgument, blame: .caller, step: .receiving, "\(count) messages cannot be delivered")
    }
}
