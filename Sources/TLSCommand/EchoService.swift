import NIOCore
import SecureSockets

/// The service of `tls serve` and `tls demo`: echoes the received bytes, or answers an HTTP request.
struct EchoService: Sendable {
    /// Whether a stream that begins like an HTTP request gets an HTTP response.
    var answersHTTP: Bool

    /// The outcome of a connection.
    enum Outcome: Sendable, Equatable {
        case echoed(bytes: Int)
        case answeredHTTP
    }

    /// The time after which a stream that begins with the letters of an HTTP method, and then stays silent, is echoed.
    private static let patience = Duration.milliseconds(200)
    /// The time limit for the head of a request, after its first line.
    private static let headTimeout = Duration.seconds(30)

    /// Serves a connection until its peer ends the stream.
    func serve(_ socket: SecureSocket) async throws -> Outcome {
        var first = ByteBuffer()
        if self.answersHTTP, let request = try await self.request(on: socket, &first) {
            try await self.answer(request, on: socket)
            return .answeredHTTP
        }
        var count = first.readableBytes
        if count > 0 { try await socket.send(first) }
        for try await bytes in socket.incoming {
            count += bytes.readableBytes
            try await socket.send(bytes)
        }
        return .echoed(bytes: count)
    }

    /// Returns the request at the start of the stream; nil if there is none. The bytes that were read are then in `bytes`.
    private func request(
        on socket: SecureSocket, _ bytes: inout ByteBuffer
    ) async throws(SecureSocketError) -> HTTPRequest? {
        var headDeadline: ContinuousClock.Instant?
        while true {
            let timeout: Duration?
            switch HTTPRequest.verdict(on: bytes) {
            case .request(let request): return request
            case .somethingElse: return nil
            case .undecided: timeout = bytes.readableBytes == 0 ? nil : Self.patience
            case .headUnderWay:
                let deadline = headDeadline ?? .now + Self.headTimeout
                headDeadline = deadline
                timeout = ContinuousClock.now.duration(to: deadline)
            }
            do {
                guard let more = try await socket.receive(timeout: timeout) else { return nil }
                bytes.writeImmutableBuffer(more)
            } catch  where error.code == .timedOut {
                return nil
            }
        }
    }

    private func answer(_ request: HTTPRequest, on socket: SecureSocket) async throws {
        let lines = ConnectionReport(socket).lines(peer: "client")
        let text = "This is an echo server over TLS. It sees this of your connection:\n\n"
        // The socket is closed afterwards, and bytes that the client still sends are discarded in the background.
        try await socket.send(request.answer(text + lines.map { $0 + "\n" }.joined()))
    }
}
