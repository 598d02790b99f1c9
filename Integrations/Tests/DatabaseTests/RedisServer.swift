import PeerSupport
import SecureSocketsTesting
import Testing

/// A Redis server without persistence.
struct RedisServer {
    private static let program = Program("redis-server")

    static let isInstalled = Self.program != nil

    /// Which certificates the server requires.
    enum Clients: String {
        case withCertificate = "yes"
        case all = "no"
    }

    /// Runs a server until the body ends.
    ///
    /// - Parameters:
    ///   - authority: The authority that issues the server's certificate and those of clients. Nil for a server without TLS.
    ///   - clients: The clients that a server with TLS accepts.
    static func run(
        _ authority: DevelopmentAuthority?, _ clients: Clients = .all, ports: [Int] = RunningServer.randomPorts(),
        _ body: (_ server: RunningServer) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        let common = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", directory.path]
        var tls: [String]?
        if let authority {
            let identity = try authority.server()
            tls = [
                "--tls-cert-file", try directory.write(identity.certificateChainPEM, to: "chain.pem"),
                "--tls-key-file", try directory.write(identity.privateKeyPEM, to: "key.pem"),
                "--tls-ca-cert-file", try directory.write(authority.certificatePEM, to: "authority.pem"),
                "--tls-auth-clients", clients.rawValue,
            ]
        }
        try await RunningServer.run(
            try #require(Self.program), in: directory, ready: "Ready to accept connections", ports: ports,
            arguments: { port in
                if let tls { common + ["--port", "0", "--tls-port", "\(port)"] + tls } else { common + ["--port", "\(port)"] }
            }, body)
    }
}
