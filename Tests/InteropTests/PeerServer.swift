import SecureSockets
import TestSupport
import Testing

/// A server of somebody else's: sends every line back, speaks `echo/1`, and ends when its client has.
enum PeerServer: String, CaseIterable, CustomTestStringConvertible {
    case openssl, python, node

    var testDescription: String { self.rawValue }

    struct Options {
        var version: TLSProtocolVersion?
        /// The authority of the clients; then they must have a certificate.
        var clients: String?
        /// A file of OpenSSL's settings.
        var openSSLSettings: String?
    }

    /// Starts it; the port is where it listens.
    func start(_ files: Site.Files, _ options: Options = Options()) async throws -> (program: RunningProgram, port: Int) {
        let program = try self.program.required(self.rawValue)
        let running: RunningProgram
        switch self {
        case .openssl:
            var arguments = [
                "s_server", "-accept", "127.0.0.1:0", "-rev", "-alpn", "echo/1",
                "-cert", files.chain, "-cert_chain", files.intermediates, "-key", files.key,
            ]
            if let version = options.version { arguments.append(version == .tls12 ? "-tls1_2" : "-tls1_3") }
            if let clients = options.clients {
                arguments += ["-Verify", "5", "-verify_return_error", "-CAfile", clients]
            }
            let environment = options.openSSLSettings.map { ["OPENSSL_CONF": $0] } ?? [:]
            running = try RunningProgram(program, arguments, environment: environment)
        case .python:
            running = try RunningProgram(program, ["-u", "-c", Self.pythonScript] + self.scriptArguments(files, options))
        case .node:
            running = try RunningProgram(program, ["-e", Self.nodeScript, "--"] + self.scriptArguments(files, options))
        }
        guard let port = await running.line(behind: "ACCEPT 127.0.0.1:").flatMap({ Int($0) }) else {
            throw ProgramFailure(description: "\(self) did not listen: \(await running.outcome().errors)")
        }
        return (running, port)
    }

    var program: Program? {
        switch self {
        case .openssl: Program.openssl
        case .python: Program.python
        case .node: Program.node
        }
    }

    private func scriptArguments(_ files: Site.Files, _ options: Options) -> [String] {
        [files.chain, files.key, options.clients ?? "", options.version.map { "\($0)" } ?? ""]
    }

    private static let pythonScript = """
        import os, socket, ssl, sys, threading
        chain, key, clients, version = sys.argv[1:5]
        # Ends with the tests, also if they are killed.
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        context.set_alpn_protocols(["echo/1"])
        if version:
            context.minimum_version = context.maximum_version = \\
                ssl.TLSVersion.TLSv1_2 if version == "TLS 1.2" else ssl.TLSVersion.TLSv1_3
        if clients:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        listener = socket.create_server(("127.0.0.1", 0))
        print("ACCEPT 127.0.0.1:%d" % listener.getsockname()[1])
        while True:
            connection, _ = listener.accept()
            connection.settimeout(30)
            try:
                connection = context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
                while data := connection.recv(65536):
                    connection.sendall(data)
                connection.unwrap()
                print("ENDED well")
            except OSError as error:
                print("ENDED", error)
            connection.close()
        """

    private static let nodeScript = """
        const tls = require('tls'), fs = require('fs');
        const [chain, key, clients, version] = process.argv.slice(1);
        // Ends with the tests, also if they are killed.
        process.stdin.resume().on('end', () => process.exit());
        const versions = { 'TLS 1.2': 'TLSv1.2', 'TLS 1.3': 'TLSv1.3' };
        const options = {
            cert: fs.readFileSync(chain), key: fs.readFileSync(key), ALPNProtocols: ['echo/1'], allowHalfOpen: true,
        };
        if (version) options.minVersion = options.maxVersion = versions[version];
        if (clients) Object.assign(options, { ca: fs.readFileSync(clients), requestCert: true, rejectUnauthorized: true });
        const server = tls.createServer(options, (socket) => {
            socket.on('error', (error) => console.log('ENDED', error.code));
            socket.on('end', () => console.log('ENDED well'));
            socket.pipe(socket);
        });
        server.on('tlsClientError', (error) => console.log('ENDED', error.code));
        server.listen(0, '127.0.0.1', () => console.log('ACCEPT 127.0.0.1:' + server.address().port));
        """
}

struct ProgramFailure: Error, CustomStringConvertible { let description: String }
