import ArgumentParser
import Foundation

/// What a measured client does with each of its connections, all of which send one byte and receive its echo.
enum ClientMode: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// Closes it after a full handshake.
    case full
    /// Closes it after a handshake that resumes the session of the one before, if the client can do that.
    case resumed
    /// The same, with the parameters that the client has by default.
    case usual
    /// Keeps it open.
    case idle
}

struct ClientSettings: ParsableArguments {
    @Option var port: Int
    @Option(help: "The certificate to trust, PEM.") var certificate: String
    @Option(help: "How many connections.") var count: Int
    @Option var mode: ClientMode

    static let concurrency = 16
}

/// Whose client connects.
enum ClientStack: String, CaseIterable, ExpressibleByArgument, Sendable {
    case secureSockets = "secure-sockets"
    /// Without `tls:`; trusts what `SSL_CERT_FILE` names.
    case secureSocketsDefault = "secure-sockets-default"
    case niossl

    var title: String {
        switch self {
        case .secureSockets: "SecureSockets"
        case .secureSocketsDefault: "without tls:"
        case .niossl: "NIOSSL"
        }
    }

    var contender: Contender {
        Contender(
            id: self.rawValue, title: self.title, server: .ours(["serve", Stack.secureSockets.rawValue]),
            client: .ours(["client", self.rawValue]))
    }

    func run(_ settings: ClientSettings) async throws {
        switch self {
        case .secureSockets: try await SecureSocketsClient.run(settings, isConfigured: true)
        case .secureSocketsDefault: try await SecureSocketsClient.run(settings, isConfigured: false)
        case .niossl: try await NIOSSLClient.run(settings)
        }
    }
}

/// One stack's client, in this process.
struct Client: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Connects as one client would, says so, and waits for the end of its input.", shouldDisplay: false)

    @Argument var stack: ClientStack
    @OptionGroup var settings: ClientSettings

    func run() async throws {
        OpenFiles.raiseLimit()
        try await self.stack.run(self.settings)
    }
}

extension ClientSettings {
    /// Runs `connect` for each connection, some at a time, and `close` for those that are kept until the end of the input.
    func connectAll<Connection: Sendable>(
        _ connect: @escaping @Sendable () async throws -> Connection, close: (Connection) async throws -> Void
    ) async throws {
        let kept = try await withThrowingTaskGroup(of: [Connection].self) { group in
            for worker in 0..<Self.concurrency {
                group.addTask {
                    var kept: [Connection] = []
                    for _ in stride(from: worker, to: self.count, by: Self.concurrency) {
                        let connection = try await connect()
                        if self.mode == .idle { kept.append(connection) }
                    }
                    return kept
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        FileHandle.standardOutput.write(Data("done\n".utf8))
        while Swift.readLine() != nil {}
        for connection in kept { try await close(connection) }
    }
}
