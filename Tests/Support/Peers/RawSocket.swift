import Foundation
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// A TCP socket on loopback without anything on top, for peers that misbehave.
///
/// Its calls block, for 30 seconds at most: they are for a thread of their own (`RawListener.play`, `onThread`).
package final class RawSocket: Sendable {
    package struct Failure: Error { package let call: String, number: Int32 }

    /// -1 once it is closed.
    private let descriptor: Mutex<Int32>
    fileprivate static let patience: Int32 = 120_000
    /// The operating system's number for a connection that was reset.
    package static let connectionReset = ECONNRESET

    fileprivate init(taking descriptor: Int32) {
        self.descriptor = Mutex(descriptor)
    }

    deinit { self.close() }

    /// Connects to a port of 127.0.0.1.
    package static func connect(to port: Int) throws -> RawSocket {
        let socket = RawSocket(taking: try newSocket())
        try socket.withAddress(port: port) { try check("connect", systemConnect(socket.number, $0, $1)) }
        return socket
    }

    package func send(_ bytes: some Sequence<UInt8>) throws {
        let bytes = Array(bytes)
        var sent = 0
        while sent < bytes.count {
            sent += try check("send", bytes[sent...].withUnsafeBytes { systemSend(self.number, $0) })
        }
    }

    package func send(_ text: String) throws { try self.send(text.utf8) }

    /// Sends a byte as TCP's urgent data (RFC 9293 §3.8.5).
    package func sendUrgent(_ byte: UInt8) throws {
        var byte = byte
        try check("send", withUnsafeBytes(of: &byte) { systemSend(self.number, $0, isUrgent: true) })
    }

    /// What is there, at least a byte; empty at the end of the stream.
    package func receive(atMost limit: Int = 65_536) throws -> [UInt8] {
        try waitForInput(self.number)
        return try [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = try check("recv", recv(self.number, buffer.baseAddress, limit, 0))
        }
    }

    package func receive(exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let chunk = try self.receive(atMost: count - bytes.count)
            if chunk.isEmpty { throw Failure(call: "recv: end of stream", number: 0) }
            bytes += chunk
        }
        return bytes
    }

    /// One TLS record, header included (RFC 8446 §5.1): nothing that came is left unread, and closing is not a reset.
    package func receiveRecord() throws -> [UInt8] {
        let header = try self.receive(exactly: 5)
        return header + (try self.receive(exactly: Int(header[3]) << 8 | Int(header[4])))
    }

    /// Reads until the peer has ended its side, or has reset the connection.
    package func receiveUntilEnd() throws {
        do {
            while try !self.receive().isEmpty {}
        } catch let failure as Failure where failure.number == ECONNRESET {
        }
    }

    /// Closes with an orderly end (FIN).
    package func close() {
        let descriptor = self.descriptor.withLock { descriptor in
            defer { descriptor = -1 }
            return descriptor
        }
        if descriptor >= 0 { _ = systemClose(descriptor) }
    }

    /// Closes with a reset (RST).
    package func reset() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.number, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        self.close()
    }

    /// The port of its own end.
    package var localPort: Int {
        get throws {
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(self.number, $0, &length) }
            }
            try check("getsockname", result)
            return Int(in_port_t(bigEndian: address.sin_port))
        }
    }

    fileprivate var number: Int32 { self.descriptor.withLock { $0 } }

    fileprivate func withAddress(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr = in_addr(s_addr: in_addr_t(0x7f00_0001).bigEndian)
        try withUnsafePointer(to: &address) { address in
            try address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// A listening TCP socket on a free port of 127.0.0.1.
package final class RawListener: Sendable {
    package let port: Int
    private let socket: RawSocket

    /// The connection that fills the queue of a listener that takes none.
    private let queued: RawSocket?

    /// - Parameters:
    ///   - isListening: Otherwise the port is taken, and connecting to it is refused.
    ///   - isFull: Its queue is full: connecting is neither refused nor answered.
    package init(isListening: Bool = true, isFull: Bool = false) throws {
        let socket = RawSocket(taking: try newSocket())
        try socket.withAddress(port: 0) { try check("bind", systemBind(socket.number, $0, $1)) }
        if isListening { try check("listen", listen(socket.number, isFull ? 0 : 16)) }
        self.port = try socket.localPort
        self.socket = socket
        // A queue of length 0 holds one connection (listen(2)).
        self.queued = isFull ? try RawSocket.connect(to: self.port) : nil
    }

    package func close() { self.socket.close() }

    /// Waits for a connection, and takes it.
    package func accept() throws -> RawSocket {
        try waitForInput(self.socket.number)
        return RawSocket(taking: try check("accept", systemAccept(self.socket.number)))
    }

    /// Takes one connection and plays a peer with it, on a thread of its own. The connection is closed at the end of the play.
    package func play<Value: Sendable>(
        _ peer: @escaping @Sendable (RawSocket) throws -> Value
    ) async throws -> Value {
        try await onThread {
            let accepted = try self.accept()
            defer { accepted.close() }
            return try peer(accepted)
        }
    }
}

/// Runs something that blocks on a thread of its own, so that it holds up no task.
package func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}

/// Whether this machine has an IPv6 loopback address.
package let hasIPv6Loopback: Bool = {
    guard let descriptor = try? newSocket(AF_INET6) else { return false }
    defer { _ = systemClose(descriptor) }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_addr = in6addr_loopback
    return withUnsafePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            systemBind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
        }
    }
}()

// MARK: System calls

private func systemAccept(_ listener: Int32) -> Int32 { accept(listener, nil, nil) }

private func newSocket(_ family: Int32 = AF_INET) throws -> Int32 {
    #if canImport(Glibc)
        let kind = Int32(SOCK_STREAM.rawValue)
    #else
        let kind = SOCK_STREAM
    #endif
    let descriptor = try check("socket", socket(family, kind, 0))
    // No child of another test shall keep it open.
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    #if canImport(Darwin)
        var isOn: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &isOn, socklen_t(MemoryLayout<Int32>.size))
    #endif
    return descriptor
}

@discardableResult
private func check<Number: SignedInteger>(_ call: String, _ result: Number) throws -> Number {
    guard result >= 0 else { throw RawSocket.Failure(call: call, number: errno) }
    return result
}

/// Waits until there is something to read or to accept.
private func waitForInput(_ descriptor: Int32) throws {
    var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard try check("poll", poll(&wanted, 1, RawSocket.patience)) == 1 else {
        throw RawSocket.Failure(call: "poll", number: ETIMEDOUT)
    }
}

private func systemSend(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, isUrgent: Bool = false) -> Int {
    let urgent = isUrgent ? Int32(MSG_OOB) : 0
    #if canImport(Darwin)
        return send(descriptor, bytes.baseAddress, bytes.count, urgent)
    #else
        return send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | urgent)
    #endif
}

private func systemConnect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    connect(descriptor, address, length)
}

private func systemBind(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    bind(descriptor, address, length)
}

private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
