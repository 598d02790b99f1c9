/// Chains with the key of another certificate, and certificates that cannot be used for TLS.
extension UnusableFile {
    /// A root, an intermediate and a leaf, each with its key, made with these options.
    private static func chain(
        intermediate: String = "-sha256", leaf: String = "-sha256",
        intermediateKey: String = "ec -pkeyopt ec_paramgen_curve:P-256"
    ) -> String {
        """
        printf 'basicConstraints=critical,CA:TRUE\\n' > ca.ext
        printf 'subjectAltName=DNS:localhost\\n' > leaf.ext
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -subj /CN=root -out root.pem
        openssl req -newkey \(intermediateKey) -nodes -keyout middle.key -subj /CN=middle -out middle.csr
        openssl x509 -req -in middle.csr -CA root.pem -CAkey root.key -extfile ca.ext \(intermediate) -out middle.pem
        openssl req -new -key server.key -subj /CN=leaf -out leaf.csr
        openssl x509 -req -in leaf.csr -CA middle.pem -CAkey middle.key -extfile leaf.ext \(leaf) -out leaf.pem
        """
    }

    private static func issued(_ options: String, _ name: String) -> String {
        """
        openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -subj /CN=root -out root.pem
        openssl req -new -key server.key -subj /CN=leaf -out leaf.csr
        openssl x509 -req -in leaf.csr -CA root.pem -CAkey root.key \(options) -out \(name)
        """
    }

    static let chains = [
        openssl(
            .key, "server.key", chain: "root-first.pem", isMismatch: true,
            "\(chain())\ncat root.pem middle.pem leaf.pem > root-first.pem",
            "belongs to certificate 3 of the file (CN=leaf), not to the first",
            "Put that certificate first in the certificate chain"),
        // The first certificate cannot be used for TLS at all, but it is not the one that is meant.
        openssl(
            .key, "server.key", chain: "authority-first.pem", isMismatch: true, "cat ca.pem server.pem > authority-first.pem",
            "belongs to certificate 2 of the file (CN=server), not to the first",
            "Put that certificate first in the certificate chain"),
        openssl(
            .key, "other.key", chain: "chain.pem", isMismatch: true,
            "openssl ecparam -name prime256v1 -genkey -noout -out other.key\ncat server.pem ca.pem > chain.pem",
            "does not belong to any of the 2 certificates of the chain, the first of which is CN=server",
            "Give the key that the certificate was issued for"),
        openssl(
            .key, "other.key", isMismatch: true, "openssl ecparam -name prime256v1 -genkey -noout -out other.key",
            "does not belong to the certificate (CN=server)", "Give the key that the certificate was issued for"),
        openssl(
            .key, "two.key", isMismatch: true,
            "openssl ecparam -name prime256v1 -genkey -noout | cat - server.key > two.key",
            "the first key of the file does not belong to the certificate, but key 2 does", "Put that key first"),
    ]

    static let weak =
        [
            ("rsa:2048", "keyEncipherment", "keyEncipherment"),
            ("rsa:2048", "keyEncipherment,dataEncipherment", "keyEncipherment, dataEncipherment"),
            ("ec -pkeyopt ec_paramgen_curve:P-256", "keyAgreement", "keyAgreement"),
            ("ed25519", "nonRepudiation", "nonRepudiation"),
        ].map { kind, usage, names in
            openssl(
                .chain, "usage.pem", key: "usage.key",
                """
                openssl req -x509 -newkey \(kind) -nodes -keyout usage.key -subj /CN=usage -out usage.pem \
                -addext basicConstraints=critical,CA:FALSE -addext keyUsage=\(usage)
                """,
                "the first certificate (CN=usage) cannot be used for TLS: its key usage is \(names), without digitalSignature",
                "Have it reissued with digitalSignature in its key usage")
        }
        + [
            openssl(
                .chain, "ca.pem", key: "ca.key", "",
                "the first certificate (CN=authority) cannot be used for TLS: its key usage is keyCertSign, cRLSign, without "
                    + "digitalSignature",
                "Is it an authority's certificate? Use one that the authority has issued"),
            openssl(
                .chain, "extension.pem",
                "openssl req -new -x509 -key server.key -subj /CN=odd -addext 2.5.29.15=DER:0500 -out extension.pem",
                "the first certificate (CN=odd) has an extension that cannot be decoded", "Have it reissued"),
            openssl(
                .chain, "weak.pem", key: "weak.key",
                "openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -subj /CN=weak -out weak.pem",
                "certificate 1 of the file (CN=weak) has a 1024-bit RSA key; at least 2048 bits are required", newKey),
            openssl(
                .chain, "almost.pem", key: "almost.key",
                "openssl req -x509 -newkey rsa:2047 -nodes -keyout almost.key -subj /CN=almost -out almost.pem",
                "certificate 1 of the file (CN=almost) has a 2047-bit RSA key; at least 2048 bits are required", newKey),
            openssl(
                .chain, "weak-issuer.pem", "\(chain(intermediateKey: "rsa:1024"))\ncat leaf.pem middle.pem > weak-issuer.pem",
                "certificate 2 of the file (CN=middle) has a 1024-bit RSA key; at least 2048 bits are required", newKey),
            openssl(
                .chain, "sha1.pem", issued("-sha1", "sha1.pem"),
                "certificate 1 of the file (CN=leaf) is signed with SHA-1, which is broken", issuedAgain),
            openssl(
                .chain, "sha1-ecdsa.pem", "\(chain(leaf: "-sha1"))\nmv leaf.pem sha1-ecdsa.pem",
                "certificate 1 of the file (CN=leaf) is signed with SHA-1, which is broken", issuedAgain),
            openssl(
                .chain, "sha1-pss.pem", issued("-sha1 -sigopt rsa_padding_mode:pss", "sha1-pss.pem"),
                "certificate 1 of the file (CN=leaf) is signed with SHA-1, which is broken", issuedAgain),
            openssl(
                .chain, "sha1-issuer.pem", "\(chain(intermediate: "-sha1"))\ncat leaf.pem root.pem middle.pem > sha1-issuer.pem",
                "certificate 3 of the file (CN=middle) is signed with SHA-1, which is broken", issuedAgain),
            openssl(
                .chain, "md5.pem", issued("-md5", "md5.pem"),
                "certificate 1 of the file (CN=leaf) is signed with MD5, which is broken and not supported",
                "Have it reissued with SHA-256"),
        ]

    private static let newKey =
        "Replace the key and the certificate. For old peers only, a program can allow .rsaKeysUnder2048Bits"
    private static let issuedAgain = "Have it reissued with SHA-256. For old peers only, a program can allow .sha1Signatures"
}
