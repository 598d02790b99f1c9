import SecureSockets
import TLSEngine

/// `tls connect HOST:PORT`.
struct Connect: Command, SpeaksJSON {
    var target = HostAndPort(host: "localhost", port: 443)
    var ca: String?
    var revocation = RevocationOptions()
    var identity = IdentityOptions()
    var leniency = LeniencyOptions()
    var insecure = false
    var serverName: String?
    var stream = StreamOptions()
    var timeout = Seconds(.seconds(30))
    var retryWithoutMLKEM = false
    var startTLS: StartTLS?
    var info = false
    var json = false

    static let title = CommandTitle(
        name: "connect",
        abstract: "Connect to a server, and pass standard input and output through the connection.",
        discussion: """
            The command verifies the server's certificate chain and name, and explains a refusal. When the input ends, it sends \
            close_notify; the command ends when the server has ended its stream too. With --packet, each line of the input is \
            sent as one packet, and each received packet is printed as one line.

            Examples:
              tls connect example.org:443 --info </dev/null
              tls connect localhost:8443 --ca certs/ca.pem
              tls connect mail.example.org:25 --starttls smtp --info </dev/null
            """)

    static let arguments: ArgumentTable<Connect> = [
        .required("host:port", \.target, .hostAndPort, "The server's name or address, and port; IPv6 addresses in brackets."),
        .option("--ca", \.ca, .text("file"), "Trust the certificates of this PEM file instead of the system's."),
        .group(\.revocation),
        .group(\.identity),
        .group(\.leniency),
        .flag("--insecure", \.insecure, "Verify nothing. An attacker on the path can read and modify all data."),
        .option("--server-name", \.serverName, .serverName, "The name to request and to verify, in place of the host."),
        .group(\.stream),
        .option(
            "--starttls", \.startTLS, .choice("protocol"),
            "Begin with a plain connection of this protocol, and agree on TLS."),
        .option("--timeout", \.timeout, .seconds, "The time limit for name look-up, connecting and handshake together."),
        .flag(
            "--retry-without-mlkem", \.retryWithoutMLKEM,
            "If nothing answers the first hello, try once more without ML-KEM: some devices drop long hellos."),
        .flag("--info", \.info, "Describe the connection on standard error."),
        .flag(
            "--json", \.json, "Describe the connection, and errors, as JSON, one object per line, on standard error."),
    ]

    func validate() throws(UsageError) {
        if self.insecure, self.ca != nil { throw UsageError("--insecure verifies nothing; leave --ca out, or it.") }
        if self.insecure, self.revocation.crl != nil { throw UsageError("--insecure verifies nothing; leave --crl out, or it.") }
        if self.startTLS != nil, self.retryWithoutMLKEM {
            throw UsageError("--retry-without-mlkem needs a second connection, which --starttls does not make; leave one out.")
        }
    }

    func run() async throws {
        let reporter = Reporter(style: self.style, output: .standardError)
        if self.insecure { try reporter.report(InsecureReport(target: self.target.host)) }
        try await Advice.given(by: Advice.forConnecting) {
            var options = ConnectOptions()
            options.retriesWithoutMLKEM = self.retryWithoutMLKEM
            let socket = try await self.connect(options)
            if self.info { try reporter.report(ConnectedReport(connection: ConnectionReport(socket))) }
            try await self.pass(through: socket)
        }
    }

    private func connect(_ options: ConnectOptions) async throws -> SecureSocket {
        let tls = try self.configuration()
        guard let startTLS else {
            return try await SecureSocket.connect(
                to: self.target.host, port: self.target.port, tls: tls, socketOptions: self.stream.socketOptions,
                options: options,
                timeout: self.timeout.duration)
        }
        let plain = try await PlainSocket.connect(
            to: self.target.host, port: self.target.port, options: options, timeout: self.timeout.duration)
        try await startTLS.agree(over: plain, host: self.serverName ?? self.target.host, timeout: self.timeout.duration)
        return try await plain.upgrade(
            tls: tls, host: self.target.host, socketOptions: self.stream.socketOptions, timeout: self.timeout.duration)
    }

    private func configuration() throws -> TLSClientConfiguration {
        try TLSClientConfiguration(
            trust: self.revocation.applied(
                to: self.leniency.applied(to: try self.ca.map { try TLSTrust.only(.file($0)) } ?? .system)),
            verification: self.insecure ? .dangerouslyNone : .full,
            identity: try self.identity.identity(self.leniency),
            serverName: self.serverName,
            parameters: self.stream.parameters)
    }

    private func pass(through socket: SecureSocket) async throws {
        let output = ByteOutput.standardOutput
        do {
            try await Relay(socket: socket, input: InputChunks.standardInput) { try await output.write($0) }.run()
        } catch let error as ToolError where error == .readerGone {
            throw error
        } catch {
            // The lines before the invalid one are still delivered, while the error is reported and when the program ends.
            socket.close()
            throw error
        }
        socket.close()
        try await socket.waitUntilClosed()
    }
}

/// The report on an established connection.
struct ConnectedReport: Report {
    static let event = "connected"

    var connection: ConnectionReport

    var text: String {
        let head = "connected to \(self.connection.peer)"
        return ([head] + self.connection.lines(peer: "server").map { "  " + $0 }).joined(separator: "\n")
    }

    func encode(to encoder: any Encoder) throws { try self.connection.encode(to: encoder) }
}

/// The warning about `--insecure`.
struct InsecureReport: Report {
    static let event = "warning"

    var target: String
    var message: String { "--insecure: the identity of \(self.target) is not verified" }

    private enum CodingKeys: CodingKey { case message }

    var text: String { "tls: warning: \(self.message.escapedForDisplay)" }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.message, forKey: .message)
    }
}
