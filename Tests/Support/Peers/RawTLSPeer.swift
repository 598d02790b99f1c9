import NIOCore
package import SecureSockets
import TLSEngine

/// A TLS end on a raw socket that hands its records out one by one, to be sent, cut, or kept back.
package struct RawTLSPeer {
    package let socket: RawSocket
    private let engine: TLSEngine

    /// Completes the server's handshake.
    package init(server tls: TLSServerConfiguration, on socket: RawSocket) throws {
        try self.init(TLSEngine(server: tls.context), socket)
    }

    /// Completes the client's handshake.
    package init(client tls: TLSClientConfiguration, on socket: RawSocket) throws {
        try self.init(TLSEngine(client: tls.context, serverName: nil, expecting: nil), socket)
    }

    private init(_ engine: TLSEngine, _ socket: RawSocket) throws {
        self.engine = engine
        self.socket = socket
        while true {
            let progress = engine.handshake()
            if let output = engine.takeOutput() { try socket.send(output.readableBytesView) }
            switch progress {
            case .complete: return
            case .failed(let failure): throw failure
            case .waiting, .deciding: try Self.takeInput(of: socket, into: engine)
            }
        }
    }

    private static func takeInput(of socket: RawSocket, into engine: TLSEngine) throws {
        let bytes = try socket.receive()
        if bytes.isEmpty { engine.receiveEnd() } else { engine.receive(ByteBuffer(bytes: bytes)) }
    }

    /// Says hello as a client does, and takes the server's hello; then the server has keys, and waits for an answer.
    package static func greet(_ socket: RawSocket, with tls: TLSClientConfiguration) throws {
        let engine = try TLSEngine(client: tls.context, serverName: nil, expecting: nil)
        _ = engine.handshake()
        if let hello = engine.takeOutput() { try socket.send(hello.readableBytesView) }
        _ = try socket.receiveRecord()
    }

    /// The bytes on the wire that say `text`.
    package func record(_ text: String) throws -> [UInt8] {
        try ByteBuffer(string: text).withUnsafeReadableBytes { try self.engine.write($0) }
        return self.takeOutput()
    }

    /// The bytes on the wire that say that nothing more will come.
    package func closeNotify() -> [UInt8] {
        self.engine.writeCloseNotify()
        return self.takeOutput()
    }

    /// What the other end has sent: at least a byte, or nil when it has finished.
    package func receive() throws -> String? {
        var text = ByteBuffer()
        while true {
            switch self.engine.read(into: &text, limit: .max) {
            case .failed(let failure): throw failure
            case .closed where text.readableBytes == 0: return nil
            case .closed, .limitReached: return String(buffer: text)
            case .truncated: throw RawSocket.Failure(call: "recv: truncated", number: 0)
            case .paused: continue
            case .waiting:
                if text.readableBytes > 0 { return String(buffer: text) }
                try Self.takeInput(of: self.socket, into: self.engine)
            }
        }
    }

    private func takeOutput() -> [UInt8] {
        self.engine.takeOutput().map { Array($0.readableBytesView) } ?? []
    }
}
