import Foundation
import PeerSupport
import SecureSocketsTesting
import Testing

/// A PostgreSQL server with a new cluster in a temporary folder, whose only role is ``user``.
struct PostgreSQLServer {
    /// The programs of the newest release that is installed. Debian has a folder for each.
    private static let programs: (initdb: Program, postgres: Program)? = {
        let debian = "/usr/lib/postgresql"
        let releases = ((try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? []).compactMap { Int($0) }
        let folders = releases.sorted(by: >).map { "\(debian)/\($0)/bin" }
        guard let initdb = Program("initdb", folders: folders), let postgres = Program("postgres", folders: folders) else {
            return nil
        }
        return (initdb, postgres)
    }()

    /// The user of a server that root starts, because it refuses to run as root.
    private static let account = Account.isRoot ? Account("postgres") : nil

    static let isInstalled = Self.programs != nil && (!Account.isRoot || (Self.account != nil && Program.setpriv != nil))

    /// The name of the role and of the client whose certificate logs in as it.
    static let user = "guest"

    /// How the server recognizes clients of TLS: the method of `pg_hba.conf`.
    enum Authentication: String {
        /// Every client is the user that it says.
        case trust
        /// The common name of the client's certificate is the user's name.
        case certificate = "cert"
    }

    /// Runs a server until the body ends.
    ///
    /// - Parameters:
    ///   - authority: The authority that issues the server's certificate and those of clients. Nil for a server without TLS.
    ///   - authentication: How the server recognizes clients that use TLS.
    static func run(
        _ authority: DevelopmentAuthority?, _ authentication: Authentication = .trust,
        _ body: (_ server: RunningServer) async throws -> Void
    ) async throws {
        let programs = try #require(Self.programs)
        let directory = try TemporaryDirectory(owner: Self.account)
        let data = directory.path(of: "data")
        let outcome = try await programs.initdb.run(
            ["-D", data, "--no-sync", "--auth", "trust", "--username", Self.user, "--no-locale", "--encoding", "UTF8"],
            as: Self.account)
        try #require(outcome.status == 0, "\(outcome.errors)")

        let hosts = "hostssl all all 127.0.0.1/32 \(authentication.rawValue)\nhostnossl all all 127.0.0.1/32 trust\n"
        var settings = [
            "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=20", "fsync=off",
            "hba_file=\(try directory.write(hosts, to: "hosts"))",
        ]
        if let authority {
            let identity = try authority.server()
            settings += [
                "ssl=on",
                "ssl_cert_file=\(try directory.write(identity.certificateChainPEM, to: "chain.pem"))",
                "ssl_key_file=\(try directory.write(identity.privateKeyPEM, to: "key.pem"))",
                "ssl_ca_file=\(try directory.write(authority.certificatePEM, to: "authority.pem"))",
            ]
        }
        try await RunningServer.run(
            programs.postgres, as: Self.account, in: directory, ready: "database system is ready to accept connections",
            arguments: { port in ["-D", data] + (settings + ["port=\(port)"]).flatMap { ["-c", $0] } }, body)
    }
}
