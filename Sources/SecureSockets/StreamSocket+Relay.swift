import NIOCore

/// The numbers of bytes that a relay has passed on.
public struct RelayedBytes: Sendable, Hashable {
    /// From the socket whose method was called to the other one.
    public internal(set) var sent = 0
    /// From the other one to the socket whose method was called.
    public internal(set) var received = 0
}

extension StreamSocket {
    /// Joins two sockets: passes on what arrives at each to the other one, until both streams have ended.
    ///
    /// The end of one stream is passed on, and the other direction continues. A socket whose peer reads slowly slows its counterpart down:
    /// each direction holds at most one chunk besides the buffers of the sockets. Close both sockets afterwards.
    ///
    /// A relay has no time limit: a peer that says nothing keeps it for as long as the connection lasts. Cancel the task to end it.
    ///
    /// - Returns: The numbers of bytes.
    /// - Throws: ``SecureSocketError`` of the direction that failed first; both sockets are aborted then, so that neither peer takes its
    ///   stream for complete. `wrongMode` if one of the sockets is framed. **Cancelling** the task aborts both sockets too.
    public func relay(to other: StreamSocket) async throws(SecureSocketError) -> RelayedBytes {
        guard !self.isFramed, !other.isFramed else {
            throw SecureSocketError(
                .wrongMode, blame: .caller, step: .receiving, "a framed socket cannot be joined with another",
                advice: "Create both sockets without framing")
        }
        let outcome = await withTaskGroup(of: (isSent: Bool, Result<Int, SecureSocketError>).self) { group in
            group.addTask { (true, await self.passAll(to: other)) }
            group.addTask { (false, await other.passAll(to: self)) }
            var bytes = RelayedBytes()
            var failure: SecureSocketError?
            for await (isSent, result) in group {
                switch result {
                case .success(let count): if isSent { bytes.sent = count } else { bytes.received = count }
                case .failure(let error):
                    failure = failure ?? error
                    self.abort()
                    other.abort()
                }
            }
            return failure.map { Result<RelayedBytes, SecureSocketError>.failure($0) } ?? .success(bytes)
        }
        return try outcome.get()
    }

    private func passAll(to other: StreamSocket) async -> Result<Int, SecureSocketError> {
        var count = 0
        do throws(SecureSocketError) {
            while let bytes = try await self.receive() {
                count += bytes.readableBytes
                try await other.send(bytes)
            }
            try await other.closeWriting()
            return .success(count)
        } catch {
            return .failure(error)
        }
    }
}
