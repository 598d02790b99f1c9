import ArgumentParser

/// Who serves.
enum Stack: String, CaseIterable, ExpressibleByArgument, Sendable {
    case secureSockets = "secure-sockets"
    case channelHandler = "channel-handler"
    case niossl
    case niosslAsync = "niossl-async"

    var title: String {
        switch self {
        case .secureSockets: "SecureSockets"
        case .channelHandler: "SecureSocketsNIO"
        case .niossl: "NIOSSL"
        case .niosslAsync: "NIOSSL async"
        }
    }

    /// Whether several processes of it can listen on one port.
    var canShareAPort: Bool {
        switch self {
        case .secureSockets: SecureSocketsServer.sharePort != nil
        case .channelHandler, .niossl, .niosslAsync: true
        }
    }

    /// Serves until the process ends.
    func serve(_ settings: ServerSettings) async throws {
        switch self {
        case .secureSockets: try await SecureSocketsServer.run(settings, ready: ServerProcess.tell)
        case .channelHandler: try await ChannelHandlerServer.run(settings, ready: ServerProcess.tell)
        case .niossl: try await NIOSSLServer.run(settings, ready: ServerProcess.tell)
        case .niosslAsync: try await NIOSSLAsyncServer.run(settings, ready: ServerProcess.tell)
        }
    }
}
