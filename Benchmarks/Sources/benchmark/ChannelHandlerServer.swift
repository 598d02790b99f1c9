import SecureSockets
import SecureSocketsNIO

/// The server of `NIOSSLServer` with the channel handler of this package in place of `NIOSSLHandler`.
enum ChannelHandlerServer {
    static func run(_ settings: ServerSettings, ready: (Int) -> Void) async throws {
        let identity = try TLSIdentity(certificateChain: .file(settings.certificate), privateKey: .file(settings.key))
        let tls = try TLSServerConfiguration(identity: identity)
        try await NIOSSLServer.run(settings, with: { TLSServerHandler(configuration: tls) }, ready: ready)
    }
}
