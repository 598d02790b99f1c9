import NIOCore
import SecureSockets
import TestSupport
import Testing

/// The first dialogue that a user of the library has, from listening to closing at both ends.
enum Conversation {
    /// Expects every step of it to succeed, on the loops that are used by default.
    static func play() async throws {
        let certificates = try TestCertificates.shared.get()
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), socketOptions: .patient, options: .patient)
        async let serving: Void = listener.serve { socket in
            for try await message in socket.incoming { try await socket.send(message) }
        }
        let socket = try await SecureSocket.connect(
            to: "127.0.0.1", port: listener.localEndpoint.port, tls: certificates.clientConfiguration())
        #expect(socket.information.version == .tls13)
        #expect(socket.information.group == .x25519MLKEM768)
        try await socket.send("hello")
        #expect(try await socket.receive(exactly: 5) == ByteBuffer(string: "hello"))
        try await socket.closeWriting()
        #expect(try await socket.receive() == nil)
        socket.close()
        try await socket.waitUntilClosed()
        listener.close()
        try await serving
    }
}
