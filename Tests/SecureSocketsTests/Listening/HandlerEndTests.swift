import NIOCore
import SecureSockets
import TestSupport
import Testing

/// How a client sees that a handler has ended.
@Suite(.timeLimit(.minutes(5))) struct `The end of a handler` {
    private struct Failure: Error {}

    private func endOfStream(_ handler: @escaping @Sendable (SecureSocket) async throws -> Void) async throws
        -> SecureSocketError?
    {
        let certificates = try TestCertificates.shared.get()
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), socketOptions: .patient, options: .patient)
        let serving = Task { try await listener.serve(handler) }
        let client = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: certificates.clientConfiguration(),
            timeout: Encounter.patience)
        #expect(try await client.receive(exactly: 7) == ByteBuffer(string: "partial"))
        var end: SecureSocketError?
        do throws(SecureSocketError) {
            #expect(try await client.receive(timeout: Encounter.patience) == nil)
        } catch {
            end = error
        }
        client.close()
        listener.close()
        try await serving.value
        return end
    }

    @Test func `that returns completes the stream`() async throws {
        let end = try await self.endOfStream { try await $0.send("partial") }
        #expect(end == nil)
    }

    @Test func `that throws cuts the stream off, after what it has sent`() async throws {
        let end = try await self.endOfStream { socket in
            try await socket.send("partial")
            throw Failure()
        }
        #expect(end?.code == .truncated)
    }

    @Test func `that aborts its socket cuts the stream off`() async throws {
        let end = try await self.endOfStream { socket in
            try await socket.send("partial")
            // What was sent has arrived when the client answers.
            _ = try? await socket.receive(timeout: .milliseconds(50))
            socket.abort()
            await #expect(throws: SecureSocketError.self) { try await socket.send("more") }
        }
        #expect(end?.code == .truncated || end?.code == .connectionReset)
    }

    @Test func `that closed its socket itself before it throws has completed the stream`() async throws {
        let end = try await self.endOfStream { socket in
            try await socket.send("partial")
            socket.close()
            throw Failure()
        }
        #expect(end == nil)
    }
}
