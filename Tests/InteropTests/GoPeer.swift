import Foundation
import SecureSockets
import TestSupport
import Testing

/// Go's `crypto/tls`, as a client or as a server. Both are one program, which is compiled once per process.
enum GoPeer {
    static let go: Program? = {
        guard let program = Program("go"), (try? program.run(["version"]).status) == 0 else { return nil }
        return program
    }()

    /// The files of a side, and what it is limited to.
    struct Options {
        /// The only version; nil permits all.
        var version: TLSProtocolVersion?
        /// The trusted certificate of a client.
        var authority: String?
        var certificate: String?
        var key: String?
        /// The OCSP response that a server staples.
        var response: String?
        /// The only cipher suite of a client, with TLS 1.2.
        var cipherSuite: String?
        /// The certificates of a server by name, which has none for other names.
        var identities: [(name: String, certificate: String, key: String)] = []

        fileprivate var arguments: [String] {
            [
                ("version", self.version.map { "\($0)" }), ("authority", self.authority), ("certificate", self.certificate),
                ("key", self.key), ("response", self.response), ("suite", self.cipherSuite),
            ].flatMap { name, value in value.map { ["-\(name)", $0] } ?? [] }
                + self.identities.flatMap { ["-identity", "\($0.name)=\($0.certificate)=\($0.key)"] }
        }
    }

    // MARK: The program

    /// Starts the program, whose output is numbered by connection.
    fileprivate static func start(_ options: Options, port: Int? = nil) async throws -> RunningProgram {
        let program = try await Self.compiled.value
        return try RunningProgram(program, options.arguments + (port.map { ["-port", "\($0)"] } ?? []))
    }

    private static let folder = Result { try TemporaryDirectory() }

    private static let compiled = Task { try await onThread { try Self.compile() } }

    private static func compile() throws -> Program {
        let folder = try self.folder.get()
        // Static values are not released when the process ends.
        _ = atexit { if let folder = try? GoPeer.folder.get() { try? FileManager.default.removeItem(atPath: folder.path) } }
        _ = try folder.write("module peer\n\ngo 1.19\n", to: "go.mod")
        _ = try folder.write(self.source, to: "main.go")
        guard let go = self.go, let shell = Program("sh") else { throw ProgramFailure(description: "Go is not installed") }
        let settings = [
            "GOFLAGS=-mod=mod", "GOPROXY=off", "GOTOOLCHAIN=local", "GOWORK=off", "CGO_ENABLED=0",
            "GOCACHE=\(folder.path(of: "cache"))", "GOPATH=\(folder.path(of: "path"))",
        ]
        let command = ["env"] + settings + [go.path, "build", "-o", "peer", "."]
        let outcome = try shell.run(["-c", #"cd "$0" && exec "$@""#, folder.path] + command)
        guard outcome.status == 0, let program = Program(path: folder.path(of: "peer")) else {
            throw ProgramFailure(description: "Go did not compile the program: \(outcome.output)")
        }
        return program
    }

    private static let source = #"""
        package main

        import (
            "bufio"
            "crypto/tls"
            "crypto/x509"
            "flag"
            "fmt"
            "io"
            "net"
            "os"
            "strings"
        )

        var (
            port        = flag.Int("port", 0, "the server's port; 0: be a server")
            authority   = flag.String("authority", "", "the certificate that a client trusts")
            certificate = flag.String("certificate", "", "the own chain")
            key         = flag.String("key", "", "the own key")
            response    = flag.String("response", "", "the OCSP response that a server staples")
            version     = flag.String("version", "", "the only version")
            suite       = flag.String("suite", "", "the only cipher suite of a client, with TLS 1.2")
        )

        func main() {
            config := &tls.Config{}
            identities := map[string]*tls.Certificate{}
            flag.Func("identity", "name=chain=key: a server's certificate for a name", func(text string) error {
                parts := strings.Split(text, "=")
                own, err := tls.LoadX509KeyPair(parts[1], parts[2])
                identities[parts[0]] = &own
                return err
            })
            flag.Parse()
            if len(identities) > 0 {
                config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
                    return identities[hello.ServerName], nil
                }
            }
            for _, known := range tls.CipherSuites() {
                if known.Name == *suite {
                    config.CipherSuites = []uint16{known.ID}
                }
            }
            switch *version {
            case "TLS 1.2":
                config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
            case "TLS 1.3":
                config.MinVersion, config.MaxVersion = tls.VersionTLS13, tls.VersionTLS13
            }
            if *certificate != "" {
                own, err := tls.LoadX509KeyPair(*certificate, *key)
                check(err)
                if *response != "" {
                    own.OCSPStaple, err = os.ReadFile(*response)
                    check(err)
                }
                config.Certificates = []tls.Certificate{own}
            }
            if *authority != "" {
                pem, err := os.ReadFile(*authority)
                check(err)
                config.RootCAs = x509.NewCertPool()
                config.RootCAs.AppendCertsFromPEM(pem)
            }
            if *port == 0 {
                serve(config)
            } else {
                connect(config)
            }
        }

        // Makes a connection for each name in standard input. All of them share a session cache, whose keys are the names.
        func connect(config *tls.Config) {
            config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
            names := bufio.NewScanner(os.Stdin)
            for number := 1; names.Scan(); number++ {
                own := config.Clone()
                own.ServerName = names.Text()
                state, err := exchange(own)
                if err != nil {
                    fmt.Printf("<%d> failed: %v\n", number, err)
                } else {
                    fmt.Printf("<%d response> %x\n", number, state.OCSPResponse)
                    fmt.Printf("<%d> %t %x\n", number, state.DidResume, state.PeerCertificates[0].SerialNumber.Bytes())
                }
            }
        }

        // Sends a line, and reads until the server's close_notify, so that tickets and refusals after the handshake are read too.
        func exchange(config *tls.Config) (tls.ConnectionState, error) {
            connection, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", *port), config)
            if err != nil {
                return tls.ConnectionState{}, err
            }
            defer connection.Close()
            fmt.Fprintln(connection, config.ServerName)
            answer, err := io.ReadAll(connection)
            if err == nil && string(answer) != config.ServerName+"\n" {
                err = fmt.Errorf("the answer is %q", answer)
            }
            return connection.ConnectionState(), err
        }

        // Returns every client's bytes.
        func serve(config *tls.Config) {
            listener, err := net.Listen("tcp", "127.0.0.1:0")
            check(err)
            fmt.Println("ACCEPT", listener.Addr())
            // Ends with the tests, also if they are killed.
            go func() {
                io.Copy(io.Discard, os.Stdin)
                os.Exit(0)
            }()
            for number := 1; ; number++ {
                raw, err := listener.Accept()
                check(err)
                connection := tls.Server(raw, config)
                _, err = io.Copy(connection, connection)
                if err == nil {
                    err = connection.CloseWrite()
                }
                fmt.Printf("<%d> %v\n", number, err)
                raw.Close()
            }
        }

        func check(err error) {
            if err != nil {
                panic(err)
            }
        }
        """#
}

/// A client in Go that connects as often as it is told to, with one session cache.
struct GoClient {
    enum Outcome: Equatable {
        /// - Parameter serialNumber: That of the server's certificate, in hexadecimal digits.
        case connected(isResumed: Bool, serialNumber: String)
        case failed(String)
    }

    private let program: RunningProgram
    private var count = 0

    init(to port: Int, _ options: GoPeer.Options) async throws {
        self.program = try await GoPeer.start(options, port: port)
    }

    /// Connects, requests and verifies a server name, and sends a line, which the server has to return.
    mutating func connect(as name: String) async throws -> Outcome {
        self.count += 1
        try await self.program.send("\(name)\n")
        guard let line = await self.program.line(behind: "<\(self.count)> ") else {
            throw ProgramFailure(description: "Go's client ended: \(await self.program.outcome().errors)")
        }
        if let range = line.range(of: "failed: ") { return .failed(String(line[range.upperBound...])) }
        let words = line.split(separator: " ")
        guard words.count == 2 else { throw ProgramFailure(description: "Go's client printed \(line)") }
        return .connected(isResumed: words[0] == "true", serialNumber: String(words[1]))
    }

    /// The OCSP response that the server stapled for a connection, counted from 1, in hexadecimal digits; empty if there was none.
    func stapledResponse(of connection: Int) async -> String? { await self.program.line(behind: "<\(connection) response> ") }
}

/// A server in Go that returns every client's bytes.
struct GoServer {
    let port: Int
    private let program: RunningProgram

    init(_ options: GoPeer.Options) async throws {
        self.program = try await GoPeer.start(options)
        guard let port = await self.program.line(behind: "ACCEPT 127.0.0.1:").flatMap({ Int($0) }) else {
            throw ProgramFailure(description: "Go's server did not listen: \(await self.program.outcome().errors)")
        }
        self.port = port
    }

    /// Waits for the end of a connection, counted from 1. Returns the server's error, or `<nil>`.
    func end(of connection: Int) async -> String? { await self.program.line(behind: "<\(connection)> ") }
}
