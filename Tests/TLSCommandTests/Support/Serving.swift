import DevelopmentCertificates
import Foundation
import TLSEngine
import TestSupport
import Testing

@testable import TLSCommand

/// Certificates in files, in a folder that goes when the test is over.
struct CertificateFiles: Sendable {
    let folder: TemporaryDirectory

    init(options: DevelopmentCertificates.Options = .init(), password: String? = nil) throws {
        self.folder = try TemporaryDirectory()
        try DevelopmentCertificates.write(
            to: self.folder.path, options: options,
            encryptKey: password.map { password in { try PrivateKeyPEM.encrypted($0, password: password) } })
    }

    var authority: String { self.folder.path(of: "ca.pem") }
    var server: [String] { self.identity("server") }
    var client: [String] { self.identity("client") }

    private func identity(_ name: String) -> [String] {
        ["--cert", self.folder.path(of: "\(name).pem"), "--key", self.folder.path(of: "\(name)-key.pem")]
    }
}

/// `tls serve`, ready.
struct Serving: Sendable {
    let tool: Tool
    let certificates: CertificateFiles
    let port: Int

    var address: String { "127.0.0.1:\(self.port)" }

    init(_ certificates: CertificateFiles? = nil, _ options: String...) async throws {
        try await self.init(certificates, options: options)
    }

    init(_ certificates: CertificateFiles? = nil, options: [String]) async throws {
        let certificates = try certificates ?? CertificateFiles()
        self.certificates = certificates
        self.tool = try Tool(["serve", "0", "--host", "127.0.0.1", "--json"] + certificates.server + options)
        guard let line = await self.tool.output.line(with: "listening") else {
            throw Unready(errors: await self.tool.errors.whole())
        }
        self.port = try #require(try Line.one(line).port)
    }

    struct Unready: Error { var errors: String }

    /// `tls connect` to it, to its end.
    func connect(_ options: String..., input: String = "") async throws -> Tool.Outcome {
        try await self.connect(arguments: options, input: input)
    }

    func connect(arguments options: [String], input: String = "") async throws -> Tool.Outcome {
        let tool = try Tool(["connect", self.address, "--ca", self.certificates.authority] + options)
        try tool.send(input)
        try tool.endInput()
        return await tool.outcome()
    }

    /// What it says of the next thing of this kind.
    func log(_ event: String) async throws -> Line {
        try Line.one(try #require(await self.tool.errors.line(with: "\"event\":\"\(event)\"")))
    }

    func stop(_ signal: Int32 = SIGINT) async -> Tool.Outcome {
        self.tool.send(signal: signal)
        return await self.tool.outcome()
    }
}
