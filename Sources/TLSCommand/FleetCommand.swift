import NIOCore
import SecureSockets
import TLSEngine

/// `tls fleet`: several servers of one service.
enum Fleet {
    static let group = CommandTree.group(
        CommandTitle(name: "fleet", abstract: "Compare the servers of one service."), [.command(Check.self)])
}

extension Fleet {
    /// `tls fleet check HOST:PORT...`.
    struct Check: Command, SpeaksJSON {
        var servers: [HostAndPort] = []
        var ca: String?
        var serverName: String?
        var identity = IdentityOptions()
        var leniency = LeniencyOptions()
        var insecure = false
        var alpn: [String]?
        var version: FleetVersion?
        var noRequest = false
        var timeout = Seconds(.seconds(5))
        var json = false

        static let title = CommandTitle(
            name: "check",
            abstract: "Check whether a session of each server can be resumed at each other.",
            discussion: """
                Connects to each server, then offers the session to every server in the list, with TLS 1.2 and 1.3. Sessions of \
                servers behind one address are of use only if all of them share the keys of their tickets, and have the same \
                certificate and settings. The command reports differences in these, too.

                Servers of TLS 1.3 may issue sessions with their first bytes only. The command therefore sends an HTTP request; \
                with --no-request it waits for what the server sends.

                The exit status is 0 if every session was resumed.

                Example:
                  tls fleet check 10.0.0.1:443 10.0.0.2:443 --server-name www.example.org
                """)

        static let arguments: ArgumentTable<Check> = [
            .repeated(positional: "host:port", \.servers, .hostAndPort, "The servers, 1 to 16."),
            .option("--ca", \.ca, .text("file"), "Trust the certificates of this PEM file instead of the system's."),
            .option("--server-name", \.serverName, .serverName, "The name to request and to verify, in place of the host."),
            .group(\.identity),
            .group(\.leniency),
            .flag("--insecure", \.insecure, "Verify nothing."),
            .option("--alpn", \.alpn, .applicationProtocols, "Application protocols (ALPN) in order of preference."),
            .option("--tls", \.version, .choice("version"), "Check one version only. (default: 1.2 and 1.3)"),
            .flag("--no-request", \.noRequest, "Send nothing."),
            .option("--timeout", \.timeout, .seconds, "The time limit for each connection, and for waiting for a session."),
            .flag("--json", \.json, "Print the result as JSON."),
        ]

        private static let mostServers = 16

        func validate() throws(UsageError) {
            if self.servers.count > Self.mostServers {
                throw UsageError("There are \(self.servers.count) servers; 16 are possible.")
            }
            if self.insecure, self.ca != nil { throw UsageError("--insecure verifies nothing; leave --ca out, or it.") }
        }

        func run() async throws {
            var results: [FleetReport.Result] = []
            for version in self.version.map({ [$0.version] }) ?? [.tls12, .tls13] {
                for first in self.servers {
                    for second in self.servers { results.append(try await self.check(version, from: first, at: second)) }
                }
            }
            let report = FleetReport(servers: self.servers.map(\.text), results: results)
            try self.reporter.report(report)
            if !report.isGood { throw ToolError.notResumed }
        }

        /// Takes a session from one server to another.
        private func check(
            _ version: TLSProtocolVersion, from first: HostAndPort, at second: HostAndPort
        ) async throws -> FleetReport.Result {
            var result = FleetReport.Result(version: version.description, issuer: first.text, server: second.text)
            let sessions = TLSSessionCache()
            let tls = try self.configuration(version, sessions, first)
            do throws(SecureSocketError) {
                let issuer = try await self.visit(first, tls, sessions)
                result.issuerState = FleetReport.ServerState(issuer, sessions)
                guard sessions.count > 0 else {
                    result.explain(.notIssued)
                    return result
                }
            } catch {
                result.error = "\(first.text): \(error.message)"
                return result
            }
            do throws(SecureSocketError) {
                let other = try await self.visit(second, tls, sessions)
                result.isResumed = other.isResumed
                result.serverState = FleetReport.ServerState(other, sessions)
                if let reason = other.fullHandshakeReason { result.explain(reason) }
            } catch {
                result.error = "\(second.text): \(error.message)"
            }
            return result
        }

        /// Connects to a server, and waits for a session.
        private func visit(
            _ server: HostAndPort, _ tls: TLSClientConfiguration, _ sessions: TLSSessionCache
        ) async throws(SecureSocketError) -> ConnectionInformation {
            let socket = try await SecureSocket.connect(
                to: server.host, port: server.port, tls: tls, timeout: self.timeout.duration)
            let before = sessions.count
            if !self.noRequest {
                let name = self.serverName ?? server.host
                try? await socket.send("HEAD / HTTP/1.1\r\nHost: \(name)\r\nConnection: close\r\n\r\n")
            }
            // The session comes before the data. A session of TLS 1.2 came in the handshake.
            let deadline = ContinuousClock.now + self.timeout.duration
            while sessions.count <= before, sessions.count == 0 || !socket.information.isResumed {
                let left = deadline - .now
                guard left > .zero, (try? await socket.receive(timeout: left)) != nil else { break }
            }
            socket.close()
            return socket.information
        }

        private func configuration(
            _ version: TLSProtocolVersion, _ sessions: TLSSessionCache, _ first: HostAndPort
        ) throws -> TLSClientConfiguration {
            var parameters = TLSParameters()
            parameters.versions = version...version
            parameters.applicationProtocols = self.alpn ?? []
            // The same name everywhere: a session is not offered to a server with another.
            return try TLSClientConfiguration(
                trust: self.leniency.applied(to: try self.ca.map { try TLSTrust.only(.file($0)) } ?? .system),
                verification: self.insecure ? .dangerouslyNone : .full, identity: try self.identity.identity(self.leniency),
                serverName: self.serverName ?? first.host, sessions: sessions, sessionGroup: "fleet", parameters: parameters)
        }
    }
}

extension HostAndPort {
    fileprivate var text: String { SocketEndpoint(host: self.host, port: self.port).description }
}

extension ToolError {
    fileprivate static let notResumed = ToolError(
        code: "notResumed", message: "not every session was resumed",
        advice: "Give all servers the same ticket keys, certificate names and settings; 'tls tickets show' has the names of keys",
        status: .failure)
}

/// A version of TLS that `tls fleet check` can be restricted to.
enum FleetVersion: String, Sendable, CaseIterable {
    case tls12 = "1.2"
    case tls13 = "1.3"

    var version: TLSProtocolVersion { self == .tls12 ? .tls12 : .tls13 }
}
