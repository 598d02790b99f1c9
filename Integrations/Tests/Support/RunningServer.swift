import Foundation

/// A server program that runs on a port of 127.0.0.1 while a test talks to it.
package struct RunningServer: Sendable {
    /// The port on which the server listens.
    package let port: Int
    private let logFile: String

    /// What the server has written so far.
    package var log: String {
        get throws { String(decoding: try Data(contentsOf: URL(fileURLWithPath: self.logFile)), as: UTF8.self) }
    }

    /// Runs a server until the body ends, on a free port of 127.0.0.1.
    ///
    /// These programs cannot have the operating system choose a port. If one is in use, the next one is tried.
    ///
    /// - Parameters:
    ///   - account: The user as which the server runs. Default: the user of the tests.
    ///   - directory: The folder of its log.
    ///   - ready: What the server writes when it accepts connections.
    ///   - ports: The ports to try. Default: ten random ones.
    ///   - limit: The time in seconds after which the server is killed.
    ///   - arguments: The arguments of the program for a port.
    /// - Throws: ``ServerFailure`` if the server does not start; what the body throws.
    package static func run(
        _ program: Program, as account: Account? = nil, in directory: TemporaryDirectory, ready: String,
        ports: [Int] = RunningServer.randomPorts(), limit: Int = 240, arguments: (_ port: Int) -> [String],
        _ body: (RunningServer) async throws -> Void
    ) async throws {
        for port in ports {
            let server = RunningServer(port: port, logFile: directory.path(of: "log-\(port)"))
            let (launcher, all) = program.command(arguments(port), as: account, endsWithTests: true)
            // Messages are compared, so that they must not be translated.
            let running = try await RunningProgram.start(
                launcher, all, environment: ["LC_ALL": "C"], output: server.logFile, errors: server.logFile, limit: limit)
            do {
                if try await server.accepts(running, ready) {
                    try await body(server)
                    return await running.stop()
                }
            } catch {
                await running.stop()
                throw error
            }
            let log = try server.log
            guard log.contains("Address already in use") else {
                throw ServerFailure(description: "\(program.path) ended instead of accepting connections: \(log)")
            }
        }
        throw ServerFailure(description: "\(program.path) found no free port among \(ports)")
    }

    /// Waits until the server accepts connections. False if it ends before.
    private func accepts(_ running: RunningProgram, _ ready: String) async throws -> Bool {
        // The log is read every 20 ms, for a minute in all.
        for _ in 0..<3000 {
            let hasEnded = running.hasEnded
            if try self.log.contains(ready) { return true }
            if hasEnded { return false }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw ServerFailure(description: "The server does not accept connections after a minute: \(try self.log)")
    }

    /// Ports below those that operating systems choose for outgoing connections.
    package static func randomPorts() -> [Int] { (0..<10).map { _ in Int.random(in: 20_000..<32_000) } }
}

/// A server that did not start.
package struct ServerFailure: Error, CustomStringConvertible {
    package let description: String
}
