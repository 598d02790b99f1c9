import Foundation
package import SecureSocketsTesting
import Synchronization

/// A Redis server on a free port of 127.0.0.1, without persistence, with its files in a temporary folder. It is killed when no reference to
/// it remains.
package final class RunningRedis: Sendable {
    /// Settings that tests need.
    package struct Options: Sendable {
        /// The password of the default user (`requirepass`).
        package var password: String?
        /// Users in the form of Redis's ACL rules, for example `cache on >secret ~cache:* +get +set`.
        package var users: [String] = []
        /// The authority that issues the server's certificate and those of clients. Nil for a server without TLS.
        package var authority: DevelopmentAuthority?
        /// Whether a server with TLS requires a certificate from its clients.
        package var requiresClientCertificate = false
        /// Further lines of the configuration file.
        package var settings: [String] = []

        package init() {}
    }

    package struct Failure: Error, CustomStringConvertible { package let description: String }

    private static let program = Program("redis-server") ?? Program("valkey-server")

    /// Whether the server's program is installed. Tests that need it are skipped otherwise:
    /// `.enabled(if: RunningRedis.isInstalled, RunningRedis.requirement)`.
    package static let isInstalled = RunningRedis.program != nil

    package static let requirement = "needs redis-server or valkey-server, which is not installed"

    /// The port, for TLS if there is an authority.
    package let port: Int
    /// The folder of the server's files.
    package let folder: TemporaryDirectory
    private let configuration: String
    private let running: Mutex<RunningProgram>

    /// Starts a server. Returns when it accepts connections.
    package init(_ options: Options = Options()) async throws {
        let folder = try TemporaryDirectory()
        // Redis cannot have the operating system choose a port. A port that was just free is used, and another one if it is not any more.
        var failure = Failure(description: "")
        for _ in 1...10 {
            let candidate = try RawListener(isListening: false)
            candidate.close()
            let configuration = try folder.write(try Self.lines(options, candidate.port, folder), to: "redis.conf")
            do {
                self.running = Mutex(try await Self.start(configuration))
                self.configuration = configuration
                self.port = candidate.port
                self.folder = folder
                return
            } catch let error as Failure {
                failure = error
                guard error.description.contains("Address already in use") else { throw error }
            }
        }
        throw failure
    }

    private static func start(_ configuration: String) async throws -> RunningProgram {
        guard let program = Self.program else { throw Failure(description: Self.requirement) }
        let running = try RunningProgram(program, [configuration], limit: 240)
        // Both servers write this line.
        guard await running.line(behind: "Ready to accept connections") != nil else {
            let outcome = await running.outcome()
            throw Failure(description: "the server did not start: \(outcome.output)\(outcome.errors)")
        }
        return running
    }

    private static func lines(_ options: Options, _ port: Int, _ folder: TemporaryDirectory) throws -> String {
        var lines = [
            "bind 127.0.0.1", "save \"\"", "appendonly no", "daemonize no", "logfile \"\"", "dir \(folder.path)",
        ]
        if let authority = options.authority {
            let identity = try authority.server(names: ["localhost", "127.0.0.1"])
            lines += [
                "port 0", "tls-port \(port)",
                "tls-cert-file \(try folder.write(identity.certificateChainPEM, to: "chain.pem"))",
                "tls-key-file \(try folder.write(identity.privateKeyPEM, to: "key.pem"))",
                "tls-ca-cert-file \(try folder.write(authority.certificatePEM, to: "authority.pem"))",
                "tls-auth-clients \(options.requiresClientCertificate ? "yes" : "no")",
            ]
        } else {
            lines.append("port \(port)")
        }
        if let password = options.password { lines.append("requirepass \(password)") }
        lines += options.users.map { "user \($0)" } + options.settings
        return lines.joined(separator: "\n") + "\n"
    }

    private var process: RunningProgram { self.running.withLock { $0 } }

    /// Shuts the server down (`SIGTERM`), and waits for its end.
    package func stop() async {
        self.process.signal(SIGTERM)
        _ = await self.process.outcome()
    }

    /// Kills the server, and waits for its end.
    package func kill() async {
        self.process.kill()
        _ = await self.process.outcome()
    }

    /// Starts the server again after `stop` or `kill`, on the same port and without its former data.
    package func start() async throws {
        let running = try await Self.start(self.configuration)
        self.running.withLock { $0 = running }
    }

    /// Stops the server's process (`SIGSTOP`): connections are accepted by the operating system and not answered. Returns when it has
    /// stopped.
    package func pause() async throws { try await self.process.pause() }

    /// Lets a paused process run again (`SIGCONT`).
    package func resume() { self.process.signal(SIGCONT) }
}
