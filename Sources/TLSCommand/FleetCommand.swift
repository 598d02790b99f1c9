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
        var noRequest = false
        var timeout = Seconds(.seconds(5))
        var json = false

        static let title = CommandTitle(
            name: "check",
            abstract: "Check whether a session of each server can be resumed at each other.",
            discussion: """
                Connects to each server, and with the session to each server of the list, with TLS 1.2 and 1.3. The sessions of \
                servers behind one address are of use only if all of them share the keys of their tickets, and have the same \
                certificate and settings.

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
            for version in [TLSProtocolVersion.tls12, .tls13] {
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
            do {
                let issuer = try await self.visit(first, tls, until: { sessions.count > 0 })
                result.issuerCertificate = issuer.certificate
                result.ticketKey = sessions.newestTicketName
                guard sessions.count > 0 else {
                    result.reason = "\(FullHandshakeReason.notIssued)"
                    result.explanation = FullHandshakeReason.notIssued.explanation
                    return result
                }
            } catch let error as SecureSocketError {
                result.error = "\(first.text): \(error.message)"
                return result
            }
            do {
                let other = try await self.visit(second, tls, until: { sessions.count > 0 })
                result.isResumed = other.isResumed
                result.serverCertificate = other.certificate
                result.serverTicketKey = sessions.newestTicketName
                result.reason = other.reason.map { "\($0)" }
                result.explanation = other.reason?.explanation
            } catch let error as SecureSocketError {
                result.error = "\(second.text): \(error.message)"
            }
            return result
        }

        private struct Visit {
            var isResumed: Bool
            var reason: FullHandshakeReason?
            var certificate: String?
        }

        /// Connects to a server, and waits for a session.
        private func visit(
            _ server: HostAndPort, _ tls: TLSClientConfiguration, until hasSession: () -> Bool
        ) async throws -> Visit {
            let socket = try await SecureSocket.connect(
                to: server.host, port: server.port, tls: tls, timeout: self.timeout.duration)
            let information = socket.information
            let visit = Visit(
                isResumed: information.isResumed, reason: information.fullHandshakeReason,
                certificate: information.peerCertificate?.sha256Fingerprint)
            if !self.noRequest {
                let name = self.serverName ?? server.host
                try? await socket.send("HEAD / HTTP/1.1\r\nHost: \(name)\r\nConnection: close\r\n\r\n")
            }
            // The session comes before the data.
            while !hasSession(), (try? await socket.receive(timeout: self.timeout.duration)) != nil {}
            socket.close()
            return visit
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
