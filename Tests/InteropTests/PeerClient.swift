import SecureSockets
import TestSupport
import Testing

/// A client of another implementation: verifies chain and name, speaks `echo/1`, sends the payload and expects it back.
///
/// curl does the same by HTTP, in `CurlTests`.
enum PeerClient: String, CaseIterable, CustomTestStringConvertible {
    case openssl, python, node

    var testDescription: String { self.rawValue }

    struct Options {
        var version: TLSProtocolVersion?
        /// The name it asks for and checks.
        var name = "localhost"
        var identity: Site.Files?
    }

    /// What it prints, and 0 if all of it went well. Python and Node.js print the fingerprint of the server's certificate to `errors`.
    func run(port: Int, trusting authority: String, _ options: Options = Options()) async throws -> (
        status: Int32, output: String, errors: String
    ) {
        let program = try self.program.required(self.rawValue)
        let running: RunningProgram
        switch self {
        case .openssl:
            var arguments = [
                "s_client", "-connect", "127.0.0.1:\(port)", "-quiet", "-CAfile", authority, "-verify_return_error",
                "-servername", options.name, "-verify_hostname", options.name, "-alpn", "echo/1",
            ]
            if let version = options.version { arguments.append(version == .tls12 ? "-tls1_2" : "-tls1_3") }
            if let identity = options.identity {
                arguments += ["-cert", identity.chain, "-cert_chain", identity.intermediates, "-key", identity.key]
            }
            running = try RunningProgram(program, arguments)
        case .python:
            running = try RunningProgram(program, ["-c", Self.pythonScript] + self.scriptArguments(port, authority, options))
        case .node:
            running = try RunningProgram(program, ["-e", Self.nodeScript, "--"] + self.scriptArguments(port, authority, options))
        }
        try await running.finishInput(with: Payload.text)
        return await running.outcome()
    }

    var program: Program? {
        switch self {
        case .openssl: Program.openssl
        case .python: Program.python
        case .node: Program.node
        }
    }

    private func scriptArguments(_ port: Int, _ authority: String, _ options: Options) -> [String] {
        [
            "\(port)", authority, options.name, options.version.map { "\($0)" } ?? "",
            options.identity?.chain ?? "", options.identity?.key ?? "",
        ]
    }

    /// The context with all of its defaults: that is how most people meet us.
    private static let pythonScript = """
        import hashlib, socket, ssl, sys
        port, authority, name, version, chain, key = sys.argv[1:7]
        context = ssl.create_default_context(cafile=authority)
        context.set_alpn_protocols(["echo/1"])
        if version:
            context.minimum_version = context.maximum_version = \\
                ssl.TLSVersion.TLSv1_2 if version == "TLS 1.2" else ssl.TLSVersion.TLSv1_3
        if chain:
            context.load_cert_chain(chain, key)
        payload = sys.stdin.buffer.read()
        raw = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
        connection = context.wrap_socket(raw, server_hostname=name, suppress_ragged_eofs=False)
        assert connection.selected_alpn_protocol() == "echo/1", connection.selected_alpn_protocol()
        print("certificate", hashlib.sha256(connection.getpeercert(True)).hexdigest(), file=sys.stderr)
        for start in range(0, len(payload), 16384):
            chunk = payload[start:start + 16384]
            connection.sendall(chunk)
            while chunk:
                data = connection.recv(len(chunk))
                sys.stdout.buffer.write(data)
                chunk = chunk[len(data):] if data else sys.exit("the server has ended too early")
        assert connection.recv(1) == b""
        connection.unwrap()
        """

    private static let nodeScript = """
        const tls = require('tls'), fs = require('fs');
        const [port, authority, name, version, chain, key] = process.argv.slice(1);
        const versions = { 'TLS 1.2': 'TLSv1.2', 'TLS 1.3': 'TLSv1.3' };
        const options = {
            host: '127.0.0.1', port: Number(port), servername: name, ca: fs.readFileSync(authority),
            ALPNProtocols: ['echo/1'], allowHalfOpen: true,
        };
        if (version) options.minVersion = options.maxVersion = versions[version];
        if (chain) Object.assign(options, { cert: fs.readFileSync(chain), key: fs.readFileSync(key) });
        const payload = fs.readFileSync(0);
        const socket = tls.connect(options, () => {
            if (socket.alpnProtocol !== 'echo/1') { console.error('alpn', socket.alpnProtocol); process.exit(3); }
            console.error('certificate', socket.getPeerCertificate().fingerprint256.replace(/:/g, '').toLowerCase());
            socket.end(payload);
        });
        socket.on('data', (data) => process.stdout.write(data));
        socket.on('error', (error) => { console.error(error.code, error.message); process.exitCode = 1; });
        """
}

extension Program {
    static let curl = Program("curl")

    static let python: Program? = {
        guard let program = Program("python3"), (try? program.run(["-c", "import ssl"]).status) == 0 else { return nil }
        return program
    }()

    static let node: Program? = {
        guard let program = Program("node"), (try? program.run(["--version"]).status) == 0 else { return nil }
        return program
    }()
}
