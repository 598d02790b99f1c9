import Foundation
import TestSupport

/// Another implementation of path validation, which is asked about the same files.
enum Peer: String, CaseIterable, Sendable {
    case openssl = "OpenSSL"
    case go = "Go"
    case gnutls = "GnuTLS"
    case python = "Python"

    /// What a peer says of a chain.
    enum Verdict: Sendable, Equatable {
        case accepted
        /// With the peer's own reason, short.
        case refused(String)
        /// The chain cannot be presented to this peer in a handshake.
        case none
    }

    /// The installed version; nil: the peer is absent.
    var version: String? { Self.versions[self] }

    static var areAllInstalled: Bool { Self.allCases.allSatisfy { $0.version != nil } }

    private static let versions: [Peer: String] = Dictionary(
        uniqueKeysWithValues: Peer.allCases.compactMap { peer in peer.findVersion().map { (peer, $0) } })

    private func findVersion() -> String? {
        switch self {
        case .openssl: Self.output(of: Program.openssl, ["version"])?.split(separator: " ").dropFirst().first.map(String.init)
        case .go: Self.output(of: Program("go"), ["env", "GOVERSION"]).map { String($0.drop { !$0.isNumber }) }
        case .gnutls: Self.output(of: Program("python3"), Self.script("verify_gnutls.py") + ["--version"])
        case .python:
            Self.output(
                of: Program("python3"),
                ["-c", "import platform, ssl; print(platform.python_version(), 'with', *ssl.OPENSSL_VERSION.split()[:2])"])
        }
    }

    /// The verdicts on all chains, in their order. Blocks.
    func verdicts(on files: ChainFiles) throws -> [Verdict] {
        switch self {
        case .openssl:
            guard let program = Program.openssl else { throw Failure(peer: self, output: "absent") }
            return try files.entries.map { try Self.openssl(program, $0) }
        case .go:
            let program = try Self.buildGo(in: files.folder)
            return try self.verdicts(of: program, [], on: files)
        case .gnutls: return try self.verdicts(of: Program("python3"), Self.script("verify_gnutls.py"), on: files)
        case .python: return try self.verdicts(of: Program("python3"), Self.script("verify_python.py"), on: files)
        }
    }

    struct Failure: Error, CustomStringConvertible {
        let peer: Peer
        let output: String

        var description: String { "\(self.peer.rawValue): \(self.output)" }
    }

    // MARK: OpenSSL

    /// Asks the `verify` command for what OpenSSL's clients and servers check in a handshake: the policy `ssl_server` or `ssl_client`,
    /// at security level 2, which is the default of Debian and of OpenSSL 3.2.
    private static func openssl(_ program: Program, _ entry: ChainFiles.Entry) throws -> Verdict {
        var arguments = [
            "verify", "-verify_name", entry.presenter == .server ? "ssl_server" : "ssl_client", "-auth_level", "2",
            "-CAfile", entry.trust, "-no-CApath", "-no-CAstore",
        ]
        if !entry.above.isEmpty { arguments += ["-untrusted", entry.above] }
        if !entry.host.isEmpty {
            arguments += [entry.host.isAddress ? "-verify_ip" : "-verify_hostname", entry.host]
        }
        let outcome = try program.run(arguments + [entry.leaf])
        if outcome.status == 0 { return .accepted }
        // `error 10 at 1 depth lookup: certificate has expired`
        guard let line = outcome.output.split(separator: "\n").first(where: { $0.contains(" lookup: ") }),
            let mark = line.range(of: " lookup: ")
        else { throw Failure(peer: .openssl, output: "\(entry.name): \(outcome.output)") }
        return .refused(String(line[mark.upperBound...]))
    }

    // MARK: Programs that read the list

    private func verdicts(of program: Program?, _ arguments: [String], on files: ChainFiles) throws -> [Verdict] {
        guard let program else { throw Failure(peer: self, output: "absent") }
        let answer = files.folder.path(of: "\(self.rawValue).json")
        let outcome = try program.run(arguments + [files.list, answer])
        guard outcome.status == 0 else { throw Failure(peer: self, output: outcome.output) }
        return try JSONDecoder().decode([String?].self, from: Data(contentsOf: URL(fileURLWithPath: answer))).map { text in
            guard let text else { return .none }
            return text.isEmpty ? .accepted : .refused(text)
        }
    }

    /// Builds the Go program. Nothing is read from the network or written outside of the folder.
    private static func buildGo(in folder: TemporaryDirectory) throws -> Program {
        guard let go = Program("go"), let env = Program("env") else { throw Failure(peer: .go, output: "absent") }
        let path = folder.path(of: "verify")
        let outcome = try env.run([
            "HOME=\(folder.path)", "GOCACHE=\(folder.path(of: "go-cache"))", "GOFLAGS=-mod=mod", "GOPROXY=off",
            "GOTOOLCHAIN=local",
            "CGO_ENABLED=0", go.path, "build", "-o", path, Self.source("verify.go"),
        ])
        guard outcome.status == 0, let program = Program(path: path) else { throw Failure(peer: .go, output: outcome.output) }
        return program
    }

    private static func script(_ name: String) -> [String] {
        // Without -B, Python writes its cache beside the sources.
        ["-B", Self.source(name)]
    }

    private static func source(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Peers/\(name)").path
    }

    private static func output(of program: Program?, _ arguments: [String]) -> String? {
        guard let outcome = try? program?.run(arguments), outcome.status == 0 else { return nil }
        return outcome.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

extension String {
    /// Whether this host is an address, as far as the cases need to know.
    fileprivate var isAddress: Bool { self.contains(":") || self.allSatisfy { $0.isNumber || $0 == "." } }
}
