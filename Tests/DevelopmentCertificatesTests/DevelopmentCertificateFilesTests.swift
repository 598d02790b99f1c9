import DevelopmentCertificates
import Foundation
import TLSEngine
import Testing

@Suite struct DevelopmentCertificateFilesTests {
    private static let names = ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "client.pem", "client-key.pem"]

    @Test func `six files appear in a directory that is made for them`() throws {
        try withTemporaryDirectory { temporary in
            let directory = temporary + "/new/certs"
            let files = try DevelopmentCertificates.write(to: directory + "/")
            #expect(files.map(\.path) == Self.names.map { "\(directory)/\($0)" })
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == Self.names.sorted())
        }
    }

    @Test(arguments: [false, true])
    func `keys are readable by their owner alone`(force: Bool) throws {
        try withTemporaryDirectory { directory in
            if force {
                for name in Self.names {
                    let path = try "old".written(to: "\(directory)/\(name)")
                    try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: path)
                }
            }
            for file in try DevelopmentCertificates.write(to: directory, force: force) {
                let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
                let mode = try #require(attributes[.posixPermissions] as? Int)
                #expect(mode & 0o077 == (file.role.isPrivate ? 0 : mode & 0o044))
                #expect(mode & 0o600 == 0o600)
                #expect(file.role.isPrivate == file.path.hasSuffix("-key.pem"))
            }
        }
    }

    @Test(arguments: names)
    func `a file that exists is kept, and nothing is written`(name: String) throws {
        try withTemporaryDirectory { directory in
            let path = try "precious".written(to: "\(directory)/\(name)")
            let error = #expect(throws: DevelopmentCertificateError.self) {
                try DevelopmentCertificates.write(to: directory)
            }
            #expect(error == .fileExists(path: path))
            #expect(error?.description.contains(path) == true)
            #expect(error?.description.contains("--force") == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [name])
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        }
    }

    @Test func `a link is never written through`() throws {
        try withTemporaryDirectory { directory in
            let target = directory + "/elsewhere"
            let link = directory + "/ca-key.pem"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
            #expect(throws: DevelopmentCertificateError.fileExists(path: link)) {
                try DevelopmentCertificates.write(to: directory)
            }
            try DevelopmentCertificates.write(to: directory, force: true)
            #expect(!FileManager.default.fileExists(atPath: target))
        }
    }

    @Test func `force replaces all files and leaves none beside them`() throws {
        try withTemporaryDirectory { directory in
            let path = try DevelopmentCertificates.write(to: directory)[0].path
            let first = try String(contentsOfFile: path, encoding: .utf8)
            try DevelopmentCertificates.write(to: directory, force: true)
            #expect(try String(contentsOfFile: path, encoding: .utf8) != first)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == Self.names.sorted())
        }
    }

    @Test func `a directory in the place of a file is named, and nothing is written`() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/client.pem"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            #expect(throws: DevelopmentCertificateError.cannotWrite(path: path, reason: "it is a directory")) {
                try DevelopmentCertificates.write(to: directory, force: true)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["client.pem"])
        }
    }

    @Test func `a file in the place of the directory is named`() throws {
        try withTemporaryDirectory { directory in
            let path = try "text".written(to: directory + "/certs")
            #expect(throws: DevelopmentCertificateError.cannotUseDirectory(path: path, reason: "it is a file")) {
                try DevelopmentCertificates.write(to: path + "/deeper")
            }
        }
    }

    @Test func `keys are written as the encryption gives them`() throws {
        try withTemporaryDirectory { directory in
            let certificates = try DevelopmentCertificates()
            let files = try certificates.write(to: directory, encryptKey: { "secret " + String($0.utf8.count) })
            for file in files {
                let text = try String(contentsOfFile: file.path, encoding: .utf8)
                #expect(text.hasPrefix(file.role.isPrivate ? "secret " : "-----BEGIN CERTIFICATE-----"))
            }
        }
    }

    @Test func `an encryption that fails leaves nothing behind`() throws {
        struct Refusal: Error {}
        try withTemporaryDirectory { temporary in
            let directory = temporary + "/certs"
            let error = #expect(throws: DevelopmentCertificateError.self) {
                try DevelopmentCertificates.write(to: directory, encryptKey: { _ in throw Refusal() })
            }
            #expect(error == .cannotEncryptKey(path: directory + "/ca-key.pem", reason: "Refusal()"))
            #expect(!FileManager.default.fileExists(atPath: directory))
        }
    }

    @Test func `faults are made as asked`() throws {
        let now = Date()
        let expired = try DevelopmentCertificates(.init(faults: [.expired]))
        #expect(expired.validity.upperBound < now)
        #expect(expired.authority.certificate.validity.notAfter > now)
        #expect(expired.authority.certificate.validity.notBefore <= expired.validity.lowerBound)

        let early = try DevelopmentCertificates(.init(faults: [.notYetValid]))
        #expect(early.validity.lowerBound > now)
        #expect(early.client.certificate.validity.notBefore == early.validity.lowerBound)

        let wrong = try DevelopmentCertificates(.init(names: ["localhost"], faults: [.wrongName]))
        #expect(try DecodedCertificate.all(in: wrong.server.certificatePEM).map(\.hostNames) == [["wrong.example"]])
    }

    @Test func `a name longer than a common name may be still fits`() throws {
        let name = String(repeating: "long.", count: 14) + "example"
        let server = try DevelopmentCertificates(.init(names: [name])).server
        #expect(try DecodedCertificate.all(in: server.certificatePEM).map(\.hostNames) == [[name]])
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"), arguments: [KeyKind.p256, .rsa2048, .ed25519])
    func `OpenSSL verifies the files`(kind: KeyKind) throws {
        try withTemporaryDirectory { directory in
            try DevelopmentCertificates.write(to: directory, options: .init(key: kind))
            for (file, purpose) in [("server.pem", "sslserver"), ("client.pem", "sslclient")] {
                let result = try OpenSSL.run(
                    "verify", "-x509_strict", "-purpose", purpose, "-CAfile", directory + "/ca.pem",
                    "\(directory)/\(file)")
                #expect(result.status == 0, "\(result.output)")
            }
        }
    }

    @Test(.disabled(if: OpenSSL.isMissing, "no openssl in PATH"))
    func `OpenSSL refuses what was made wrong`() throws {
        let cases: [(DevelopmentCertificates.Options.Fault, String)] = [
            (.expired, "has expired"), (.notYetValid, "not yet valid"), (.wrongName, "ostname mismatch"),
        ]
        for (fault, reason) in cases {
            try withTemporaryDirectory { directory in
                try DevelopmentCertificates.write(to: directory, options: .init(faults: [fault]))
                let server = directory + "/server.pem"
                let result = try OpenSSL.run(
                    "verify", "-verify_hostname", "localhost", "-CAfile", directory + "/ca.pem", "-untrusted", server,
                    server)
                #expect(result.status != 0)
                #expect(result.output.contains(reason), "\(result.output)")
            }
        }
    }
}
