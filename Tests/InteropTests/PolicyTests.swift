import Foundation
import NIOCore
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// Other implementations' clients at a server with several identities, whose settings are replaced while they have sessions.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Our policy` {
    private let authority: DevelopmentAuthority
    private let folder: TemporaryDirectory
    private let trusted: String

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.folder = try TemporaryDirectory()
        self.trusted = try self.folder.write(self.authority.certificatePEM, to: "ca.pem")
    }

    private func identity(_ name: String) throws -> TLSIdentity { try self.authority.server(names: [name]).identity }

    private func tls(clients: TLSServerConfiguration.ClientAuthentication = .none) throws -> TLSServerConfiguration {
        var parameters = TLSParameters()
        parameters.applicationProtocols = ["echo/1", "http/1.1"]
        return try TLSServerConfiguration(
            identities: [
                ServerIdentity(self.identity("a.example")), ServerIdentity(self.identity("b.example")),
                ServerIdentity(self.identity("*.c.example")),
            ],
            unknownServerNames: .refused, clients: clients, parameters: parameters)
    }

    private func withServer(
        _ tls: TLSServerConfiguration, ticketKeys: TicketKeys? = nil,
        _ handler: @escaping @Sendable (SecureSocket) async throws -> Void = Self.echo,
        _ body: (SecureListener) async throws -> Void
    ) async throws {
        var options = ListenerOptions.patient
        options.ticketKeys = ticketKeys
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: options)
        let serving = Task { try await listener.serve(handler) }
        try await body(listener)
        listener.close()
        try await serving.value
    }

    /// Sends the payload back and ends the connection, which `s_client` does not do by itself. Shorter messages are echoed as they arrive.
    private static func echo(_ socket: SecureSocket) async throws {
        var count = 0
        while count < Payload.text.utf8.count, let bytes = try await socket.receive(timeout: Encounter.patience) {
            count += bytes.readableBytes
            try await socket.send(bytes)
        }
    }

    @Test(arguments: PeerClient.allCases, TLSProtocolVersion.allCases)
    func `has an identity for each name that clients verify`(_ peer: PeerClient, version: TLSProtocolVersion) async throws {
        try await self.withServer(self.tls()) { listener in
            for name in ["a.example", "b.example", "x.c.example"] {
                let outcome = try await peer.run(
                    port: listener.localEndpoint.port, trusting: self.trusted, .init(version: version, name: name))
                #expect(outcome.status == 0, "\(name): \(outcome.errors)")
            }
            let refused = try await peer.run(
                port: listener.localEndpoint.port, trusting: self.trusted, .init(version: version, name: "d.example"))
            try #require(refused.status != 0)
            let complaint = refused.errors.lowercased().split(separator: "_").joined(separator: " ")
            try #require(complaint.contains("unrecognized name"), "\(refused.errors)")
            await until { !listener.statistics.failedHandshakes.isEmpty }
            #expect(listener.statistics.failedHandshakes == [.unrecognizedName: 1])
        }
    }

    @Test(arguments: [PeerClient.python, .node], TLSProtocolVersion.allCases)
    func `has other certificates after an update`(_ peer: PeerClient, version: TLSProtocolVersion) async throws {
        try await self.withServer(self.tls()) { listener in
            var seen: Set<TLSCertificate> = []
            for _ in ["before an update", "after it"] {
                let certificate = try #require(listener.statistics.certificates.dropFirst().first)
                let outcome = try await peer.run(
                    port: listener.localEndpoint.port, trusting: self.trusted, .init(version: version, name: "b.example"))
                #expect(outcome.status == 0 && outcome.errors.contains(certificate.sha256Fingerprint), "\(outcome.errors)")
                #expect(seen.insert(certificate).inserted)
                try await listener.update(tls: self.tls())
            }
        }
    }

    @Test(.enabled(if: Program.curl != nil)) func `serves curl by name`() async throws {
        let curl = try #require(Program.curl)
        let answer: @Sendable (SecureSocket) async throws -> Void = { socket in
            _ = try await socket.receive()
            let name = socket.information.serverName ?? ""
            try await socket.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: \(name.utf8.count)\r\n\r\n\(name)")
        }
        try await self.withServer(self.tls(), answer) { listener in
            let port = listener.localEndpoint.port
            for name in ["a.example", "b.example", "x.c.example"] {
                let running = try RunningProgram(
                    curl,
                    [
                        "--silent", "--show-error", "--cacert", self.trusted, "--noproxy", "*", "--resolve",
                        "\(name):\(port):127.0.0.1", "https://\(name):\(port)/",
                    ])
                let outcome = await running.outcome()
                #expect(outcome.status == 0 && outcome.output == name, "\(outcome.errors)")
            }
        }
    }

    @Test(.enabled(if: ErlangPeer.isInstalled), arguments: TLSProtocolVersion.allCases)
    func `serves Erlang by name, and refuses names that are not served`(version: TLSProtocolVersion) async throws {
        let escript = try #require(Program("escript"))
        let script = try self.folder.write(Self.erlangScript, to: "sni.escript")
        try await self.withServer(self.tls()) { listener in
            func connect(as name: String) async throws -> String {
                let running = try RunningProgram(
                    escript,
                    [
                        script, "\(listener.localEndpoint.port)", self.trusted, name,
                        version == .tls12 ? "tlsv1.2" : "tlsv1.3",
                    ])
                let outcome = await running.outcome()
                #expect(outcome.status == 0, "\(outcome)")
                return outcome.output
            }
            for _ in ["before an update", "after it"] {
                for (name, certificate) in zip(["a.example", "b.example"], listener.statistics.certificates) {
                    let output = try await connect(as: name)
                    #expect(output.contains("answer \(name), certificate \(certificate.sha256Fingerprint)"), "\(output)")
                }
                try await listener.update(tls: self.tls())
            }
            let refused = try await connect(as: "d.example")
            try #require(refused.contains("alert unrecognized_name"), "\(refused)")
            await until { !listener.statistics.failedHandshakes.isEmpty }
            #expect(listener.statistics.failedHandshakes == [.unrecognizedName: 1])
        }
    }

    private static let erlangScript = """
        #!/usr/bin/env escript
        main([Port, Authority, Name, Version]) ->
            {ok, _} = application:ensure_all_started(ssl),
            Options = [{server_name_indication, Name}, {versions, [list_to_atom(Version)]}, {verify, verify_peer},
                       {cacertfile, Authority}, {active, false}, binary],
            case ssl:connect("127.0.0.1", list_to_integer(Port), Options) of
                {ok, Socket} ->
                    ok = ssl:send(Socket, Name),
                    {ok, Answer} = ssl:recv(Socket, length(Name)),
                    {ok, Certificate} = ssl:peercert(Socket),
                    Fingerprint = string:lowercase(binary:encode_hex(crypto:hash(sha256, Certificate))),
                    io:format("answer ~s, certificate ~s~n", [Answer, Fingerprint]),
                    ssl:close(Socket);
                {error, {tls_alert, {Alert, _}}} ->
                    io:format("alert ~s~n", [Alert])
            end.

        """

    // MARK: Sessions

    /// Connects with `s_client`, which keeps its session in a file, and returns what it prints.
    private func openssl(_ listener: SecureListener, _ options: [String]) async throws -> String {
        let openssl = try #require(Program.openssl)
        let running = try RunningProgram(
            openssl, ["s_client", "-connect", "127.0.0.1:\(listener.localEndpoint.port)", "-CAfile", self.trusted] + options)
        // The server answers, so that its tickets have arrived before the end.
        try await running.finishInput(with: "hello\n")
        let outcome = await running.outcome()
        return outcome.output + outcome.errors
    }

    /// Answers, and ends the connection, so that `s_client` ends too.
    private static func answer(_ socket: SecureSocket) async throws {
        _ = try await socket.receive()
        try await socket.send("hello\n")
        try await socket.closeWriting()
    }

    @Test(.enabled(if: Program.openssl != nil), arguments: ["-tls1_2", "-tls1_3"])
    func `shows OpenSSL another certificate after an update`(version: String) async throws {
        try await self.withServer(self.tls(), Self.answer) { listener in
            var seen: Set<TLSCertificate> = []
            for _ in ["before an update", "after it"] {
                let certificate = try #require(listener.statistics.certificates.dropFirst().first)
                let base64 = Data(certificate.derBytes)
                    .base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
                let output = try await self.openssl(listener, [version, "-ign_eof", "-servername", "b.example"])
                #expect(output.contains(base64), "\(output)")
                #expect(seen.insert(certificate).inserted)
                try await listener.update(tls: self.tls())
            }
        }
    }

    @Test(.enabled(if: Program.openssl != nil), arguments: ["-tls1_2", "-tls1_3"], [["-no_ticket"], []])
    func `resumes no session of OpenSSL under another name or under other rules`(version: String, options: [String]) async throws
    {
        // With TLS 1.3, OpenSSL's server has stateful tickets; a client's option concerns TLS 1.2 only.
        if version == "-tls1_3", !options.isEmpty { return }
        let session = self.folder.path(of: "session.pem")
        let common = [version, "-ign_eof"] + options
        try await self.withServer(self.tls(), Self.answer) { listener in
            _ = try await self.openssl(listener, common + ["-servername", "a.example", "-sess_out", session])
            let same = try await self.openssl(listener, common + ["-servername", "a.example", "-sess_in", session])
            #expect(same.contains("Reused"), "\(same)")
            let other = try await self.openssl(listener, common + ["-servername", "b.example", "-sess_in", session])
            #expect(!other.contains("Reused") && other.contains("CN = b.example"), "\(other)")

            _ = try await self.openssl(listener, common + ["-servername", "a.example", "-sess_out", session])
            let clients = try DevelopmentAuthority(commonName: "clients")
            try await listener.update(tls: self.tls(clients: .required(trust: clients.trust)))
            let without = try await self.openssl(listener, common + ["-servername", "a.example", "-sess_in", session])
            #expect(!without.contains("Reused"), "\(without)")
            #expect(listener.statistics.failedHandshakes.values.reduce(0, +) == 1)
        }
    }

    @Test(.enabled(if: Program.openssl != nil), arguments: ["-tls1_2", "-tls1_3"], [["-no_ticket"], []])
    func `resumes no session of OpenSSL after the ticket keys were removed`(version: String, options: [String]) async throws {
        if version == "-tls1_3", !options.isEmpty { return }
        let session = self.folder.path(of: "session.pem")
        let common = [version, "-ign_eof", "-servername", "a.example"] + options
        let keys = TicketKeys()
        try await self.withServer(self.tls(), ticketKeys: keys, Self.answer) { listener in
            _ = try await self.openssl(listener, common + ["-sess_out", session])
            #expect(try await self.openssl(listener, common + ["-sess_in", session, "-sess_out", session]).contains("Reused"))
            keys.removeAll()
            let after = try await self.openssl(listener, common + ["-sess_in", session, "-sess_out", session])
            #expect(!after.contains("Reused") && after.contains("CN = a.example"), "\(after)")
            #expect(try await self.openssl(listener, common + ["-sess_in", session]).contains("Reused"))
        }
    }
}
