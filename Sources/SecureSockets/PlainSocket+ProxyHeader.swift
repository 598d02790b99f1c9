import NIOCore
import SocketCore

/// The addresses that a load balancer tells about the connection that it relays, by the PROXY protocol.
public struct ProxyHeader: Sendable, Hashable {
    /// The client's endpoint; nil if the load balancer connects for itself, or does not tell it.
    public let source: SocketEndpoint?
    /// The endpoint that the client connected to; nil if `source` is.
    public let destination: SocketEndpoint?
    /// Whether the load balancer connects for itself, for example for a health check (`LOCAL` of version 2).
    public let isLocal: Bool

    init(_ header: SocketCore.ProxyHeader) {
        self.source = header.source.map { SocketEndpoint(host: $0.address, port: $0.port) }
        self.destination = header.destination.map { SocketEndpoint(host: $0.address, port: $0.port) }
        self.isLocal = header.isLocal
    }
}

extension PlainSocket {
    /// Receives the header of the PROXY protocol, version 1 or 2, with which a load balancer begins a connection. What follows, for example
    /// a client's hello, is not touched.
    ///
    /// ```swift
    /// let tls = try TLSServerConfiguration(identity: identity)
    /// let listener = try await PlainListener.bind(port: 8443)
    /// try await listener.serve { plain in
    ///     let header = try await plain.receiveProxyHeader()
    ///     let socket = try await plain.upgrade(tls: tls)
    ///     if let client = header.source { print("a connection of \(client)") }
    ///     try await socket.send("hello")
    /// }
    /// ```
    ///
    /// **Security:** every client that can connect can send such a header. Accept it only from the addresses of load balancers
    /// (``StreamSocket/remoteEndpoint``, in which the IPv4 clients of a listener on all addresses have IPv4 addresses).
    ///
    /// ``ProxyHeader/source`` is nil for a health check (``ProxyHeader/isLocal``), and for a client whose address the load balancer does not
    /// know or which is no internet address. The secure socket's ``StreamSocket/remoteEndpoint`` remains the load balancer's.
    ///
    /// The header is parsed strictly. One of version 1 has at most 107 bytes, one of version 2 at most 4112; extensions (TLVs) are skipped.
    ///
    /// - Parameter timeout: The time limit; nil means no limit. Default: 5 seconds.
    /// - Throws: ``SecureSocketError``: `protocolError` if what arrives is no valid header, `endOfStream`, `timedOut`, `cancelled`, and those
    ///   of ``StreamSocket/receive(timeout:)``. Close the socket then.
    public func receiveProxyHeader(timeout: Duration? = .seconds(5)) async throws(SecureSocketError) -> ProxyHeader {
        let clock = ContinuousClock()
        let deadline = timeout.map { clock.now + $0 }
        var remaining: Duration? { deadline.map { max($0 - clock.now, .zero) } }
        // The shortest header of version 1 is longer than the signature of version 2.
        var first = Array(
            try await self.receive(exactly: SocketCore.ProxyHeader.signature.count, timeout: timeout).readableBytesView)
        do {
            if first == SocketCore.ProxyHeader.signature {
                let fixedLength = SocketCore.ProxyHeader.fixedLength - first.count
                first += try await self.receive(exactly: fixedLength, timeout: remaining).readableBytesView
                let length = try SocketCore.ProxyHeader.restLength(of: first)
                let rest = Array(try await self.receive(exactly: length, timeout: remaining).readableBytesView)
                return ProxyHeader(try SocketCore.ProxyHeader(fixed: first, rest: rest))
            }
            guard first.starts(with: Array("PROXY ".utf8)) else { throw SocketCore.ProxyHeader.Problem.notAHeader }
            // Only CRLF ends the line. Nothing behind it is taken.
            while !first.suffix(2).elementsEqual("\r\n".utf8) {
                guard first.count < SocketCore.ProxyHeader.longestLine else {
                    throw SocketCore.ProxyHeader.Problem.malformed("a line without an end")
                }
                first += try await self.receive(exactly: 1, timeout: remaining).readableBytesView
            }
            return ProxyHeader(try SocketCore.ProxyHeader(line: first.dropLast(2)))
        } catch let error as SecureSocketError {
            throw error
        } catch {
            throw SecureSocketError(
                proxyHeader: error as? SocketCore.ProxyHeader.Problem ?? .notAHeader, from: self.connection.peerText)
        }
    }
}

extension SecureSocketError {
    fileprivate init(proxyHeader problem: SocketCore.ProxyHeader.Problem, from peer: String) {
        let text =
            switch problem {
            case .notAHeader: "sent something other than a header of the PROXY protocol"
            case .malformed(let fault): "sent a header of the PROXY protocol with \(fault)"
            case .tooLong(let length):
                "announced a header of the PROXY protocol of \(length) bytes; \(SocketCore.ProxyHeader.longestRest) are allowed"
            }
        self.init(
            .protocolError, blame: .peer, step: .receiving, "\(peer) \(text)",
            advice: "Is it a load balancer, and is the PROXY protocol enabled for this server there?")
    }
}
