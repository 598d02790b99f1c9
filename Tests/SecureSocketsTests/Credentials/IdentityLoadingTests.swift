import DevelopmentCertificates
import Foundation
import SecureSockets
import TLSEngine
import TestSupport
import Testing

/// The forms of certificates and keys from which an identity is loaded, and that it then serves.
@Suite(.timeLimit(.minutes(5))) struct `Credentials that are loaded` {
    private let files: CredentialFiles

    init() throws { self.files = try CredentialFiles() }

    @Test(arguments: KeyKind.allCases)
    func `a key of each kind is loaded as PKCS8, and serves`(_ kind: KeyKind) async throws {
        let server = try self.files.authority.issue(commonName: "server", names: ["127.0.0.1"], key: kind)
        let identity = try self.files.identity(server.certificateChainPEM, server.privateKeyPEM)
        #expect(server.privateKeyPEM.hasPrefix("-----BEGIN PRIVATE KEY-----"))
        #expect(identity.certificates.map(\.subject) == ["CN=server"])
        try await self.files.expectToServe(identity)
    }

    @Test(arguments: [(KeyKind.p256, "EC"), (.p384, "EC"), (.rsa2048, "RSA")])
    func `a key as older tools write it is loaded, SEC1 or PKCS1`(_ row: (kind: KeyKind, label: String)) async throws {
        let server = try self.files.authority.issue(commonName: "server", names: ["127.0.0.1"], key: row.kind)
        let key = try #require(server.traditionalPrivateKeyPEM)
        #expect(key.hasPrefix("-----BEGIN \(row.label) PRIVATE KEY-----"))
        try await self.files.expectToServe(self.files.identity(server.certificateChainPEM, key))
    }

    @Test func `certificate and key may share a file, with line ends and remarks of any kind`() async throws {
        let both = try self.files.folder.write(
            "subject=CN = server\r\n" + self.files.server.certificatePEM.replacing("\n", with: "\r\n")
                + "\r\nBag Attributes\r\n" + self.files.server.privateKeyPEM.replacing("\n", with: "\r\n"),
            to: "both.pem")
        try await self.files.expectToServe(TLSIdentity(certificateChain: .file(both), privateKey: .file(both)))
    }

    /// Changes to a PEM text that leave its blocks intact.
    enum Change: CaseIterable {
        case byteOrderMark, carriageReturns, carriageReturnsOnly, indentation, noFinalLineBreak, remarks, blankLines, longLines

        func made(in pem: String) -> String {
            let lines = pem.split(separator: "\n")
            return switch self {
            case .byteOrderMark: "\u{feff}" + pem
            case .carriageReturns: pem.replacing("\n", with: "\r\n")
            case .carriageReturnsOnly: pem.replacing("\n", with: "\r")
            case .indentation: lines.map { "    \($0)  \n" }.joined()
            case .noFinalLineBreak: lines.joined(separator: "\n")
            case .remarks: "Certificate:\n    Signature Algorithm: ecdsa-with-SHA256\n\(pem)\nThe end - of it\n"
            case .blankLines: pem.replacing("\n", with: "\n\n")
            case .longLines: "\(lines[0])\n\(lines.dropFirst().dropLast().joined())\n\(lines[lines.count - 1])\n"
            }
        }
    }

    @Test(arguments: Change.allCases)
    func `text with other line breaks, blanks or remarks is loaded`(_ change: Change) async throws {
        let chain = try self.files.folder.write(change.made(in: self.files.server.certificatePEM), to: "server.pem")
        let key = try self.files.folder.write(change.made(in: self.files.server.privateKeyPEM), to: "server-key.pem")
        try await self.files.expectToServe(TLSIdentity(certificateChain: .file(chain), privateKey: .file(key)))
        let encrypted = try PrivateKeyPEM.encrypted(self.files.server.privateKeyPEM, password: "secret")
        _ = try TLSIdentity(certificateChain: .file(chain), privateKey: .text(change.made(in: encrypted)), password: "secret")
        _ = try TLSTrust.only(.text(change.made(in: self.files.authority.certificatePEM)))
    }

    @Test(.enabled(if: Program.openssl != nil, "openssl is not installed"), arguments: Change.allCases)
    func `a key with the traditional encryption and such a change is loaded too`(_ change: Change) throws {
        // The header fields need lines of their own.
        if change == .longLines { return }
        let workshop = try CredentialWorkshop()
        try workshop.run("openssl ec -in server.key -aes256 -passout pass:secret -out encrypted.key")
        let text = try String(contentsOfFile: workshop.path(of: "encrypted.key"), encoding: .utf8)
        _ = try TLSIdentity(
            certificateChain: .file(workshop.path(of: "server.pem")), privateKey: .text(change.made(in: text)), password: "secret"
        )
    }

    @Test(.enabled(if: Program.openssl != nil, "openssl is not installed"))
    func `all certificates are loaded from the output of openssl x509 -text`() throws {
        let workshop = try CredentialWorkshop()
        try workshop.run("for name in server ca; do openssl x509 -text -in $name.pem >> text.pem; done")
        let identity = try TLSIdentity(
            certificateChain: .file(workshop.path(of: "text.pem")), privateKey: .file(workshop.path(of: "server.key")))
        #expect(identity.certificates.map(\.subject) == ["CN=server", "CN=authority"])
    }

    @Test func `a whole chain is loaded in its order`() throws {
        let leaf = try self.files.authority.intermediate(commonName: "upper").intermediate(commonName: "lower")
            .issue(commonName: "leaf")
        let identity = try self.files.identity(leaf.certificateChainPEM, leaf.privateKeyPEM)
        #expect(identity.certificates.map(\.subject) == ["CN=leaf", "CN=lower", "CN=upper"])
    }

    @Test func `a file is read once, when the identity is made`() async throws {
        let chain = try self.files.folder.write(self.files.server.certificateChainPEM, to: "server.pem")
        let key = try self.files.folder.write(self.files.server.privateKeyPEM, to: "server-key.pem")
        let identity = try TLSIdentity(certificateChain: .file(chain), privateKey: .file(key))
        try FileManager.default.removeItem(atPath: chain)
        try FileManager.default.removeItem(atPath: key)
        try await self.files.expectToServe(identity)
    }

    @Test(.enabled(if: Program.openssl != nil, "openssl is not installed"))
    func `an Ed25519 key in version 2 of PKCS8, with its public key, is loaded`() throws {
        let workshop = try CredentialWorkshop()
        try workshop.run(
            """
            openssl genpkey -algorithm ed25519 -out first.key
            openssl req -new -x509 -key first.key -subj /CN=server -out ed25519.pem
            openssl pkey -in first.key -pubout -outform der -out public.der
            openssl pkey -in first.key -outform der -out first.der
            """)
        let first = try Data(contentsOf: URL(fileURLWithPath: workshop.path(of: "first.der")))
        let publicKey = try Data(contentsOf: URL(fileURLWithPath: workshop.path(of: "public.der"))).suffix(32)
        // RFC 5958 §2: another version, and the public key in a BIT STRING with the tag [1].
        let content = [0x02, 0x01, 0x01] + first.dropFirst(5) + [0x81, 0x21, 0x00] + publicKey
        let second = Data([0x30, UInt8(content.count)] + content).base64EncodedString()
        let pem = "-----BEGIN PRIVATE KEY-----\n\(second)\n-----END PRIVATE KEY-----\n"
        _ = try TLSIdentity(certificateChain: .file(workshop.path(of: "ed25519.pem")), privateKey: .text(pem))
    }

    @Test func `a path may be put together in the place where it is used`() throws {
        _ = try self.files.folder.write(self.files.server.certificatePEM, to: "chain.pem")
        _ = try self.files.folder.write(self.files.server.privateKeyPEM, to: "own-key.pem")
        let folder = self.files.folder.path
        _ = try TLSIdentity(certificateChain: "\(folder)/chain.pem", privateKey: "\(folder)/own-key.pem")
    }
}
