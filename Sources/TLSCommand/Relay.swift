import NIOCore
import SecureSockets

/// Copies an input to a connection and the connection to an output, both at the same time.
///
/// Ends when the peer has finished; what is left of the input is not sent then. When the input ends first, the peer is told so, and
/// reading goes on until it has finished as well. On a framed connection a packet is a line, in both directions.
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
                // The peer may have said why before it went; its word is better than ours.
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
            // Cancelling ends the input too, but then the peer has finished, and nothing is to be said.
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
    /// The most bytes that a packet may have.
    fileprivate func longestPacket(_ options: SocketOptions) -> Int {
        switch self {
        case .none: .max
        case .oneByteLength: 0xff
        case .twoByteLength: 0xffff
        // Not what a header could say, but what a peer with the usual limit accepts.
        default: options.maximumPacketSize
        }
    }
}
