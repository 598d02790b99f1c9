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
            for (index, server) in self.servers.enumerated() where self.servers.prefix(index).contains(server) {
                throw UsageError("\(server.text) is given twice; a server is compared with the others.")
            }
            if self.insecure, self.ca != nil { throw UsageError("--insecure verifies nothing; leave --ca out, or it.") }
        }

        func run() async throws {
            var results: [FleetReport.Result] = []
            for version in self.version.map({ [$0.version] }) ?? [.tls12, .tls13] {
                // Each with itself first: a server that cannot be reached is not tried again.
                let own = try await self.check(version, self.servers.map { ($0, $0) })
                let broken = Dictionary(uniqueKeysWithValues: zip(self.servers.map(\.text), own.map(\.error)))
                    .compactMapValues(\.self)
                let others = self.servers.flatMap { first in self.servers.filter { $0 != first }.map { (first, $0) } }
                let reachable = others.filter { broken[$0.text] == nil && broken[$1.text] == nil }
                let unreachable = others.filter { broken[$0.text] != nil || broken[$1.text] != nil }.map { first, second in
                    var result = FleetReport.Result(version: version.description, issuer: first.text, server: second.text)
                    result.error = broken[first.text] ?? broken[second.text]
                    return result
                }
                results += own + unreachable
                results += try await self.check(version, reachable)
            }
            let report = FleetReport(servers: self.servers.map(\.text), results: results)
            try self.reporter.report(report)
            if !report.isGood { throw ToolError.notResumed }
        }

        /// The number of pairs that are checked at the same time.
        private static let pairsAtOnce = 8

        /// Checks pairs, and returns the results in their order.
        private func check(
            _ version: TLSProtocolVersion, _ pairs: [(HostAndPort, HostAndPort)]
        ) async throws -> [FleetReport.Result] {
            try await withThrowingTaskGroup(of: (Int, FleetReport.Result).self) { group in
                var results = [FleetReport.Result?](repeating: nil, count: pairs.count)
                for (index, pair) in pairs.enumerated() {
                    if index >= Self.pairsAtOnce, let (done, result) = try await group.next() { results[done] = result }
                    group.addTask { (index, try await self.check(version, from: pair.0, at: pair.1)) }
                }
                for try await (done, result) in group { results[done] = result }
                return results.compactMap(\.self)
            }
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
                result.error = error.message
                return result
            }
            do throws(SecureSocketError) {
                let other = try await self.visit(second, tls, sessions)
                result.isResumed = other.isResumed
                result.serverState = FleetReport.ServerState(other, sessions)
                if let reason = other.fullHandshakeReason { result.explain(reason) }
            } catch {
                result.error = error.message
            }
            return result
        }

        /// Connects to a server, and waits for a session.
        private func visit(
            _ server: HostAndPort, _ tls: TLSClientConfiguration, _ sessions: TLSSessionCache
        ) async throws(SecureSocketError) -> ConnectionInformation {
            let before = sessions.count
            let socket = try await SecureSocket.connect(
                to: server.host, port: server.port, tls: tls, timeout: self.timeout.duration)
            // A session of TLS 1.2 has come with the handshake. What follows a resumption is of no interest.
            guard !socket.information.isResumed, sessions.count <= before else {
                socket.close()
                return socket.information
            }
            if !self.noRequest {
                let name = self.serverName ?? server.host
                try? await socket.send("HEAD / HTTP/1.1\r\nHost: \(name)\r\nConnection: close\r\n\r\n")
            }
            // A session of TLS 1.3 comes before the data.
            let deadline = ContinuousClock.now + self.timeout.duration
            while sessions.count <= before {
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
        advice:
            "The reasons are above. Servers resume each other's sessions if they have the same ticket keys, certificate names and "
            + "settings; with --tls, one version is checked",
        status: .failure)
}

/// A version of TLS that `tls fleet check` can be restricted to.
enum FleetVersion: String, Sendable, CaseIterable {
    case tls12 = "1.2"
    case tls13 = "1.3"

    var version: TLSProtocolVersion { self == .tls12 ? .tls12 : .tls13 }
}
