import Foundation
import SecureSockets
import TestSupport
import Testing

/// Python's `ssl` with the settings of a policy: revocation lists, cipher suites, and certificates by server name.
enum PythonPeer {
    /// The version as Python names it.
    fileprivate static func name(of version: TLSProtocolVersion) -> String { version == .tls12 ? "TLSv1_2" : "TLSv1_3" }

    fileprivate static func start(_ script: String, _ settings: some Encodable) throws -> RunningProgram {
        let settings = String(decoding: try JSONEncoder().encode(settings), as: UTF8.self)
        return try RunningProgram(Program.python.required("python3"), ["-u", "-c", script, settings])
    }
}

/// A client in Python that connects once and sends a line, which the server has to return.
struct PythonClient {
    enum Outcome: Equatable {
        /// - Parameter fingerprint: That of the server's certificate.
        case connected(fingerprint: String)
        /// - Parameter reason: What Python says of the server's certificate, or OpenSSL's name of the error.
        case failed(reason: String)
    }

    private struct Settings: Encodable {
        let port: Int
        let version: String
        let authority: String
        let name: String
        let identity: IdentityFiles?
        let list: String?
        let cipherSuites: String?
    }

    private let settings: Settings

    /// - Parameters:
    ///   - authority: The trusted certificate.
    ///   - list: The authority's revocation list, which must know the server's certificate as good.
    ///   - cipherSuites: OpenSSL's list of cipher suites of TLS 1.2.
    init(
        to listener: SecureListener, _ version: TLSProtocolVersion, trusting authority: String, as name: String = "localhost",
        identity: IdentityFiles? = nil, list: String? = nil, cipherSuites: String? = nil
    ) {
        self.settings = Settings(
            port: listener.localEndpoint.port, version: PythonPeer.name(of: version), authority: authority, name: name,
            identity: identity, list: list, cipherSuites: cipherSuites)
    }

    func outcome() async throws -> Outcome {
        let program = try PythonPeer.start(Self.script, self.settings)
        try await program.finishInput()
        let outcome = await program.outcome()
        let line = outcome.output.split(separator: "\n").last ?? ""
        if outcome.status == 0, line.hasPrefix("connected ") { return .connected(fingerprint: String(line.dropFirst(10))) }
        if outcome.status == 0, line.hasPrefix("failed ") { return .failed(reason: String(line.dropFirst(7))) }
        throw ProgramFailure(description: "Python's client ended: \(outcome)")
    }

    private static let script = """
        import hashlib, json, socket, ssl, sys
        settings = json.loads(sys.argv[1])
        context = ssl.create_default_context(cafile=settings["authority"])
        context.minimum_version = context.maximum_version = ssl.TLSVersion[settings["version"]]
        if "list" in settings:
            context.load_verify_locations(settings["list"])
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        if "cipherSuites" in settings:
            context.set_ciphers(settings["cipherSuites"])
        if "identity" in settings:
            context.load_cert_chain(settings["identity"]["chain"], settings["identity"]["key"])
        raw = socket.create_connection(("127.0.0.1", settings["port"]), timeout=30)
        try:
            connection = context.wrap_socket(raw, server_hostname=settings["name"], suppress_ragged_eofs=False)
            connection.sendall(b"hello\\n")
            answer = b""
            while data := connection.recv(64):
                answer += data
            assert answer == b"hello\\n", answer
            print("connected", hashlib.sha256(connection.getpeercert(True)).hexdigest())
        except ssl.SSLCertVerificationError as error:
            print("failed", error.verify_message)
        except ssl.SSLError as error:
            print("failed", error.reason)
        """
}

/// A server in Python with a certificate for each name, which refuses other names. It sends a line, and waits for the client's end.
struct PythonServer {
    private struct Settings: Encodable {
        let version: String
        let identities: [String: IdentityFiles]
        let clients: String?
        let list: String?
    }

    let port: Int
    private let program: RunningProgram

    /// - Parameters:
    ///   - identities: The certificates by server name.
    ///   - clients: The authority of the clients; then they must have a certificate.
    ///   - list: Its revocation list.
    init(
        _ version: TLSProtocolVersion, _ identities: [String: IdentityFiles], clients: String? = nil, list: String? = nil
    ) async throws {
        self.program = try PythonPeer.start(
            Self.script,
            Settings(version: PythonPeer.name(of: version), identities: identities, clients: clients, list: list))
        guard let port = await self.program.line(behind: "ACCEPT 127.0.0.1:").flatMap({ Int($0) }) else {
            throw ProgramFailure(description: "Python's server did not listen: \(await self.program.outcome().errors)")
        }
        self.port = port
    }

    /// Waits for the end of a connection, counted from 1. Returns `well`, what Python says of the client's certificate, or OpenSSL's name
    /// of the error.
    func end(of connection: Int) async -> String? { await self.program.line(behind: "<\(connection)> ") }

    private static let script = """
        import json, os, socket, ssl, sys, threading
        settings = json.loads(sys.argv[1])
        # Ends with the tests, also if they are killed.
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()

        def context(files):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = context.maximum_version = ssl.TLSVersion[settings["version"]]
            context.load_cert_chain(files["chain"], files["key"])
            if "clients" in settings:
                context.load_verify_locations(settings["clients"])
                context.verify_mode = ssl.CERT_REQUIRED
            if "list" in settings:
                context.load_verify_locations(settings["list"])
                context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
            return context

        def choose(connection, name, _):
            if name not in contexts:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            connection.context = contexts[name]

        contexts = {name: context(files) for name, files in settings["identities"].items()}
        first = next(iter(contexts.values()))
        first.sni_callback = choose
        listener = socket.create_server(("127.0.0.1", 0))
        print("ACCEPT 127.0.0.1:%d" % listener.getsockname()[1])
        number = 0
        while True:
            connection, _ = listener.accept()
            connection.settimeout(30)
            number += 1
            try:
                connection = first.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
                connection.sendall(b"hello\\n")
                assert connection.recv(1) == b""
                connection.unwrap()
                print("<%d> well" % number)
            except ssl.SSLCertVerificationError as error:
                print("<%d> %s" % (number, error.verify_message))
            except ssl.SSLError as error:
                print("<%d> %s" % (number, error.reason))
            except OSError as error:
                print("<%d> %s" % (number, error))
            connection.close()
        """
}
