import NIOCore
import SecureSockets

/// A relay that copies an input to a connection and the connection to an output, concurrently.
///
/// It ends when the peer ends its stream; the rest of the input is then not sent. If the input ends first, it sends `close_notify` and
/// keeps receiving until the peer ends its stream too. On a framed connection, each packet is a line, in both directions.
struct Relay<Input: AsyncSequence & Sendable>: Sendable where Input.Element == ByteBuffer {
    var socket: SecureSocket
    var input: Input
    var output: @Sendable (ByteBuffer) async throws -> Void

    private enum Ended { case input, peer, sending(SecureSocketError) }

    func run() async throws {
        try await withThrowingTaskGroup(of: Ended.self) { group in
            group.addTask { try await self.sendAll() }
            group.addTask {
                try await self.receiveAll()
                return .peer
            }
            var failure: SecureSocketError?
            while let ended = try await group.next() {
                switch ended {
                case .input: break
                // The peer may have sent an alert before the connection ended. That error explains more than the failed `send`.
                case .sending(let error): failure = error
                case .peer:
                    group.cancelAll()
                    if let failure { throw failure }
                    return
                }
            }
        }
    }

    private func receiveAll() async throws {
        let isFramed = self.socket.options.framing != .none
        while var bytes = try await self.socket.receive() {
            if isFramed { bytes.writeInteger(UInt8(ascii: "\n")) }
            try await self.output(bytes)
        }
    }

    private func sendAll() async throws -> Ended {
        do {
            switch self.socket.options.framing {
            case .none:
                for try await bytes in self.input { try await self.socket.send(bytes) }
            case let framing: try await self.sendLines(framing)
            }
            // Cancelling ends the input too, but then the peer has ended its stream, and no end has to be sent.
            if !Task.isCancelled { try await self.socket.closeWriting() }
            return .input
        } catch let error as SecureSocketError where error.code != .packetTooLarge {
            return .sending(error)
        }
    }

    private func sendLines(_ framing: PacketFraming) async throws {
        var lines = LineSplitter(limit: framing.longestPacket(self.socket.options))
        for try await bytes in self.input {
            lines.append(bytes)
            while let line = try lines.next() { try await self.socket.send(line) }
        }
        if !Task.isCancelled, let line = lines.rest() { try await self.socket.send(line) }
    }
}

extension PacketFraming {
    /// Returns the maximum length of a packet.
    fileprivate func longestPacket(_ options: SocketOptions) -> Int {
        switch self {
        case .none: .max
        case .oneByteLength: 0xff
        case .twoByteLength: 0xffff
        // The limit is what a peer with default options accepts, not what a header can express.
        default: options.maximumPacketSize
        }
    }
}
