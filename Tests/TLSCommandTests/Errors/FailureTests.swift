import DevelopmentCertificates
import Foundation
import SecureSockets
import TLSEngine
import TestSupport
import Testing

@testable import TLSCommand

@Suite(.timeLimit(.minutes(5))) struct `What goes wrong` {
    @Test func `a file that is missing is named, and what to do next`() async throws {
        let outcome = try await Tool.run("serve", "0", "--cert", "no-such.pem", "--key", "no-such-key.pem")
        #expect(outcome.status == 2)
        #expect(outcome.output == "")
        #expect(outcome.errors.contains("no-such.pem"))
        #expect(outcome.errors.contains("tls certs dev DIR"))
    }

    @Test func `a wrong password is told from a missing one`() async throws {
        let files = try CertificateFiles(password: "secret")
        let missing = try Tool(["serve", "0"] + files.server)
        let wrong = try Tool(["serve", "0", "--password", "other"] + files.server)
        let outcomes = (await missing.outcome(), await wrong.outcome())
        #expect(outcomes.0.status == 2)
        #expect(outcomes.0.errors.contains("no password was given"))
        #expect(outcomes.1.status == 2)
        #expect(outcomes.1.errors.contains("the password is wrong"))
        _ = try await Serving(files, "--password", "secret")
    }

    @Test func `a connection that nobody accepts is refused`() async throws {
        let files = try CertificateFiles()
        let dead = try RawListener(isListening: false)
        let outcome = try await Tool.run("connect", "127.0.0.1:\(dead.port)", "--ca", files.authority, "--json")
        #expect(outcome.status == 1)
        let line = try Line.one(outcome.errors)
        #expect(line.event == "error")
        #expect(line.code == "connectionRefused")
        #expect(line.blame == "peer")
        #expect(line.exitStatus == 1)
        dead.close()
    }

    @Test func `a port that is taken cannot be listened on`() async throws {
        let files = try CertificateFiles()
        let listener = try await self.listener()
        let tool = try Tool(["serve", "\(listener.localEndpoint.port)", "--host", "127.0.0.1"] + files.server)
        let outcome = await tool.outcome()
        #expect(outcome.status == 1)
        #expect(outcome.output == "")
        #expect(outcome.errors.contains("127.0.0.1:\(listener.localEndpoint.port)"))
        #expect(outcome.errors.contains("0 picks a free one"))
        listener.close()
    }

    @Test func `a server of an authority that is not trusted is refused, and --ca is named`() async throws {
        let serving = try await Serving()
        let stranger = try CertificateFiles()
        let outcome = try await Tool.run("connect", serving.address, "--ca", stranger.authority)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("--ca FILE"))
        #expect(try await serving.log("handshakeFailed").error?.code == "alertReceived")
    }

    @Test func `the system's trust does not know a development authority`() async throws {
        let serving = try await Serving()
        let outcome = try await Tool.run("connect", serving.address)
        #expect(outcome.status == 1 || outcome.status == 2)
        #expect(outcome.errors.hasPrefix("tls: "))
    }

    @Test func `a server of another name is refused, and --insecure says what it does`() async throws {
        let serving = try await Serving(try CertificateFiles(options: .init(faults: [.wrongName])))
        let refused = try await serving.connect()
        #expect(refused.status == 1)
        #expect(refused.errors.contains("wrong.example"))
        let named = try await serving.connect("--server-name", "wrong.example", input: "hello")
        #expect(named.status == 0)
        #expect(named.output == "hello")
        let insecure = try await Tool.run("connect", serving.address, "--insecure", input: "hello")
        #expect(insecure.status == 0)
        #expect(insecure.output == "hello")
        #expect(insecure.errors.contains("warning"))
    }

    @Test(arguments: [false, true])
    func `names with control characters are escaped, as text and as JSON`(_ isJSON: Bool) async throws {
        let (identity, pem) = try OddCertificate.withControlCharacters()
        let folder = try TemporaryDirectory()
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: identity), socketOptions: .patient,
            options: .patient)
        async let refused: Void = { _ = try? await listener.accept() }()
        let tool = try Tool(
            ["connect", "127.0.0.1:\(listener.localEndpoint.port)", "--ca", folder.write(pem, to: "ca.pem")]
                + (isJSON ? ["--json"] : []))
        let outcome = await tool.outcome()
        await refused
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(isJSON ? #"CN=a\\u{9b}2J"# : #"CN=a\u{9b}2J"#))
        #expect(outcome.errors.contains(isJSON ? #""subject":"CN=a\u009b2J\u202ez""# : "and 146 more"))
        #expect(outcome.errors.unicodeScalars.filter(\.isUnsafeForDisplay).map(\.value) == [10])
    }

    /// With fewer than these, Dispatch ends the process when it starts.
    @Test(arguments: 8...20)
    func `a server with few descriptors says so, or serves until it is told to stop`(_ descriptors: Int) async throws {
        let files = try CertificateFiles()
        let tool = try Tool(["serve", "0", "--host", "127.0.0.1"] + files.server, descriptors: descriptors)
        let isListening = await tool.output.line(with: "listening") != nil
        if isListening { tool.send(signal: SIGTERM) }
        let outcome = await tool.outcome()
        #expect([0, 1, 2].contains(outcome.status))
        #expect((outcome.status == 0) == isListening)
        #expect(isListening || outcome.errors.contains("Too many open files"), "\(outcome.errors)")
    }

    @Test func `certificates are not overwritten silently`() async throws {
        let files = try CertificateFiles()
        let outcome = try await Tool.run("certs", "dev", files.folder.path)
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("--force"))
    }

    @Test(arguments: [
        (["serve", "0"], "tls certs dev DIR"),
        (["serve", "70000", "--cert", "a", "--key", "b"], "0 to 65535"),
        (["serve", "0", "--cert", "a"], "--key"),
        (["serve", "0", "--cert", "a", "--key", "b", "--require-client-certificate"], "--client-ca"),
        (["serve", "0", "--cert", "a", "--key", "b", "--crl", "c"], "--crl needs --client-ca"),
        (["serve", "0", "--cert", "a", "--key", "b", "--client-ca", "c", "--allow-spiffe", "x"], "'x' is no SPIFFE ID"),
        (["serve", "0", "--cert", "a", "--key", "b", "--client-ca", "c", "--allow-spiffe", "spiffe://a/b/"], "is no SPIFFE ID"),
        (["serve", "0", "--cert", "a", "--key", "b", "--client-ca", "c", "--allow-spiffe", "spiffe://a:1/b"], "is no SPIFFE ID"),
        (["connect", "localhost:443", "--insecure", "--crl", "a"], "--insecure"),
        (["serve", "0", "--cert", "a", "--key", "b", "--packet", "3"], "'0', '1', '2' or '4'"),
        (["connect", "localhost"], "localhost:443"),
        (["connect", "::1:443"], "[::1]:443"),
        (["connect", "localhost:0"], "1 to 65535"),
        (["connect", "münchen.example:443"], "xn--"),
        (["connect", "https://localhost:443"], "has the character :"),
        (
            ["connect", "localhost:443", "--server-name", "münchen.example"],
            "--server-name: the server name \"münchen.example\" has characters outside ASCII"
        ),
        (["connect", "localhost:443", "--server-name", ""], "--server-name"),
        (["connect", "localhost:443", "--insecure", "--ca", "a"], "--insecure"),
        (["connect", "localhost:443", "--alpn", "h2,"], "commas"),
        (["connect", "localhost:443", "--timeout", "-1"], "--timeout"),
        (["frobnicate"], "frobnicate"),
    ]) func `a line that makes no sense ends with 64 and says why`(arguments: [String], part: String) async throws {
        let tool = try Tool(arguments)
        let outcome = await tool.outcome()
        #expect(outcome.status == 64)
        #expect(outcome.output == "")
        #expect(outcome.errors.contains(part), "\(outcome.errors)")
    }

    @Test func `help is no error, and lists the exit statuses`() async throws {
        let outcome = try await Tool.run("--help")
        #expect(outcome.status == 0)
        #expect(outcome.errors == "")
        for status in ExitStatus.allCases { #expect(outcome.output.contains(" \(status.rawValue)  ")) }
    }

    private func listener() async throws -> SecureListener {
        let certificates = try TestCertificates.shared.get()
        return try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: certificates.serverConfiguration(), socketOptions: .patient, options: .patient)
    }
}
