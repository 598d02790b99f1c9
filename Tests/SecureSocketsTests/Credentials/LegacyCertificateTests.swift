import SecureSockets
import TestSupport
import Testing

/// Weak certificates that are accepted. Those that are refused are in `UnusableFile`.
@Suite(.enabled(if: Program.openssl != nil, "openssl is not installed"), .timeLimit(.minutes(5)))
struct `Weak certificates` {
    private let workshop: CredentialWorkshop

    init() throws {
        self.workshop = try CredentialWorkshop()
        // An authority and a leaf as they should be.
        try self.workshop.run(
            """
            printf 'basicConstraints=critical,CA:TRUE\\n' > ca.ext
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -subj /CN=root -out root.pem
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout middle.key -subj /CN=middle -out middle.csr
            openssl x509 -req -in middle.csr -CA root.pem -CAkey root.key -extfile ca.ext -out middle.pem
            openssl req -new -key server.key -subj /CN=leaf -out leaf.csr
            openssl x509 -req -in leaf.csr -CA middle.pem -CAkey middle.key -out leaf.pem
            """)
    }

    private func load(_ chain: String, key: String = "server.key", allowing legacy: LegacyCertificates = []) throws -> TLSIdentity
    {
        try TLSIdentity(
            certificateChain: .file(self.workshop.path(of: chain)), privateKey: .file(self.workshop.path(of: key)),
            allowing: legacy)
    }

    @Test func `are accepted if their kind is allowed by name`() throws {
        try self.workshop.run(
            """
            openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -subj /CN=weak -out weak.pem
            openssl x509 -req -in leaf.csr -CA middle.pem -CAkey middle.key -sha1 -out sha1.pem
            openssl x509 -req -in leaf.csr -CA weak.pem -CAkey weak.key -md5 -out md5.pem
            """)
        _ = try TLSServerConfiguration(identity: self.load("weak.pem", key: "weak.key", allowing: .rsaKeysUnder2048Bits))
        _ = try TLSServerConfiguration(identity: self.load("sha1.pem", allowing: .sha1Signatures))
        _ = try self.load("sha1.pem", allowing: [.sha1Signatures, .rsaKeysUnder2048Bits])
        #expect(LegacyCertificates.sha1Signatures.isDisjoint(with: .rsaKeysUnder2048Bits))
        #expect(throws: SecureSocketError.self) { try self.load("weak.pem", key: "weak.key", allowing: .sha1Signatures) }
        #expect(throws: SecureSocketError.self) { try self.load("sha1.pem", allowing: .rsaKeysUnder2048Bits) }
        #expect(throws: SecureSocketError.self) {
            try self.load("md5.pem", allowing: [.sha1Signatures, .rsaKeysUnder2048Bits])
        }
    }

    @Test(arguments: ["sha1", "md5"])
    func `may be self-signed: that signature is not checked`(_ hash: String) throws {
        try self.workshop.run(
            """
            openssl genrsa -out self.key 2048
            openssl req -new -x509 -key self.key -\(hash) -subj /CN=self -out self.pem \
            -addext basicConstraints=critical,CA:FALSE -addext keyUsage=digitalSignature
            openssl req -x509 -newkey rsa:1024 -\(hash) -nodes -keyout old.key -subj /CN=old -out old.pem
            openssl x509 -req -in leaf.csr -CA old.pem -CAkey old.key -sha256 -out below.pem
            cat below.pem old.pem > chain.pem
            """)
        _ = try self.load("self.pem", key: "self.key")
        // A root is trusted by itself, or not.
        _ = try self.load("chain.pem")
    }

    @Test func `may stand in the file outside the chain`() throws {
        try self.workshop.run(
            """
            openssl req -x509 -newkey rsa:1024 -nodes -keyout other.key -subj /CN=other -out other.pem
            openssl req -new -key other.key -subj /CN=weak -out weak.csr
            openssl x509 -req -in weak.csr -CA root.pem -CAkey root.key -sha1 -out weak.pem
            cat leaf.pem weak.pem middle.pem other.pem > chain.pem
            """)
        #expect(try self.load("chain.pem").certificates.count == 4)
    }

    @Test func `are ignored if the file has a better one of the same authority`() throws {
        try self.workshop.run(
            """
            openssl x509 -req -in middle.csr -CA root.pem -CAkey root.key -extfile ca.ext -sha1 -out old.pem
            cat leaf.pem old.pem middle.pem > both.pem
            cat leaf.pem old.pem > one.pem
            """)
        _ = try self.load("both.pem")
        #expect(throws: SecureSocketError.self) { try self.load("one.pem") }
    }

    @Test func `are searched for once in a circle of authorities`() throws {
        try self.workshop.run(
            """
            openssl req -new -key root.key -subj /CN=root -out root.csr
            openssl x509 -req -in root.csr -CA middle.pem -CAkey middle.key -extfile ca.ext -out circle.pem
            cat leaf.pem middle.pem circle.pem > circle-chain.pem
            """)
        #expect(try self.load("circle-chain.pem").certificates.count == 3)
    }
}
