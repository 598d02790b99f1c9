/// Chains whose key stands elsewhere.
extension UnusableFile {
    /// A root, an intermediate and a leaf, each with its key.
    private static func chain() -> String {
        """
        printf 'basicConstraints=critical,CA:TRUE\\n' > ca.ext
        printf 'subjectAltName=DNS:localhost\\n' > leaf.ext
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -subj /CN=root -out root.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout middle.key -subj /CN=middle -out middle.csr
        openssl x509 -req -in middle.csr -CA root.pem -CAkey root.key -extfile ca.ext -out middle.pem
        openssl req -new -key server.key -subj /CN=leaf -out leaf.csr
        openssl x509 -req -in leaf.csr -CA middle.pem -CAkey middle.key -extfile leaf.ext -out leaf.pem
        """
    }

    static let chains = [
        openssl(
            .key, "server.key", chain: "root-first.pem", isMismatch: true,
            "\(chain())\ncat root.pem middle.pem leaf.pem > root-first.pem",
            "does not belong to the first certificate of the chain, but to certificate 3 of its file (CN=leaf)",
            "Put that certificate first"),
        // The first certificate cannot be used for TLS at all, but it is not the one that is meant.
        openssl(
            .key, "server.key", chain: "authority-first.pem", isMismatch: true, "cat ca.pem server.pem > authority-first.pem",
            "does not belong to the first certificate of the chain, but to certificate 2 of its file (CN=server)",
            "Put that certificate first"),
        openssl(
            .key, "other.key", chain: "chain.pem", isMismatch: true,
            "openssl ecparam -name prime256v1 -genkey -noout -out other.key\ncat server.pem ca.pem > chain.pem",
            "belongs to none of the 2 certificates of the chain, whose first is CN=server",
            "Give the key that the certificate was issued for"),
        openssl(
            .key, "other.key", isMismatch: true, "openssl ecparam -name prime256v1 -genkey -noout -out other.key",
            "does not belong to the certificate (CN=server)", "Give the key that the certificate was issued for"),
        openssl(
            .key, "two.key", isMismatch: true,
            "openssl ecparam -name prime256v1 -genkey -noout | cat - server.key > two.key",
            "its first key does not belong to the certificate, but key 2 of the file does", "Put that key first"),
    ]
}
