import DevelopmentCertificates
import SecureSockets
import TestSupport

extension ChainGroup {
    static let good = ChainGroup(
        "Good chains",
        [
            ChainCase("A root has issued the leaf", .accepted) { try chainOfServer() },
            ChainCase("A root has issued the client's leaf", from: .client, .accepted) {
                let root = try authority("Root")
                return try Chain(sent: [client(by: root)], trusted: [root])
            },
            ChainCase("One intermediate is sent", .accepted) { try chainWithIntermediate { _ in } },
            ChainCase("Two intermediates are sent", .accepted) {
                let (root, upper, lower) = try twoIntermediates()
                return try Chain(sent: [server(by: lower), lower, upper], trusted: [root])
            },
            ChainCase("A client sends two intermediates", from: .client, .accepted) {
                let (root, upper, lower) = try twoIntermediates()
                return try Chain(sent: [client(by: lower), lower, upper], trusted: [root])
            },
            ChainCase("All keys are RSA with 2048 bits", .accepted) {
                let root = try authority("Root", key: .rsa(bits: 2048, number: 0))
                return try Chain(sent: [server(by: root, key: .rsa(bits: 2048, number: 1))], trusted: [root])
            },
            ChainCase("RSA-PSS signatures", .accepted) {
                let root = try authority("Root", key: .rsa(bits: 2048, number: 0)) { $0.signatureAlgorithm = .rsaPSS }
                return try Chain(sent: [server(by: root) { $0.signatureAlgorithm = .rsaPSS }], trusted: [root])
            },
            ChainCase("An RSA root has issued a P-256 leaf", .accepted) {
                let root = try authority("Root", key: .rsa(bits: 2048, number: 0))
                return try Chain(sent: [server(by: root)], trusted: [root])
            },
            ChainCase("All keys are on P-384", .accepted) {
                let root = try authority("Root", key: .p384())
                return try Chain(sent: [server(by: root, key: .p384())], trusted: [root])
            },
            ChainCase("All keys are on P-521", .accepted) {
                let root = try authority("Root", key: .p521())
                return try Chain(sent: [server(by: root, key: .p521())], trusted: [root])
            },
            ChainCase("All keys are Ed25519", .accepted) {
                let root = try authority("Root", key: .ed25519())
                return try Chain(sent: [server(by: root, key: .ed25519())], trusted: [root])
            },
            ChainCase("No certificate has key identifiers", .accepted) {
                let root = try authority("Root") { $0.hasKeyIdentifiers = false }
                let intermediate = try authority("Intermediate", by: root) { $0.hasKeyIdentifiers = false }
                let leaf = try server(by: intermediate) { $0.hasKeyIdentifiers = false }
                return try Chain(sent: [leaf, intermediate], trusted: [root])
            },
            ChainCase("The root is sent as well", .accepted) {
                let (root, upper, lower) = try twoIntermediates()
                return try Chain(sent: [server(by: lower), lower, upper, root], trusted: [root])
            },
            ChainCase("Unrelated certificates are sent as well", .accepted) {
                let (root, upper, lower) = try twoIntermediates()
                let other = try authority("Other")
                let sent = try [server(by: lower), authority("Unrelated", by: other), lower, other, upper]
                return try Chain(sent: sent, trusted: [root])
            },
            ChainCase("Intermediates are sent in reverse order", .accepted) {
                let (root, upper, lower) = try twoIntermediates()
                return try Chain(sent: [server(by: lower), root, upper, lower], trusted: [root])
            },
            ChainCase("An intermediate is sent twice", .accepted) {
                let (root, upper, lower) = try twoIntermediates()
                return try Chain(sent: [server(by: lower), lower, lower, upper, upper], trusted: [root])
            },
            ChainCase("The leaf is sent twice", .accepted) {
                let (root, upper, lower) = try twoIntermediates()
                let leaf = try server(by: lower)
                return try Chain(sent: [leaf, leaf, lower, upper], trusted: [root])
            },
            ChainCase("Unrelated roots are trusted as well", .accepted) {
                let root = try authority("Root")
                let trusted = try [authority("First"), root, authority("Last")]
                return try Chain(sent: [server(by: root)], trusted: trusted)
            },
            ChainCase("The root is twice in the trust file", .accepted) {
                let root = try authority("Root")
                return try Chain(sent: [server(by: root)], trusted: [root, root])
            },
            ChainCase("A self-signed server certificate is trusted itself", .accepted) {
                let leaf = try server(by: nil)
                return try Chain(sent: [leaf], trusted: [leaf])
            },
            ChainCase("A self-signed client certificate is trusted itself", from: .client, .accepted) {
                let leaf = try client(by: nil)
                return try Chain(sent: [leaf], trusted: [leaf])
            },
            ChainCase("A trusted root is itself the server's certificate", .accepted) {
                let root = try server(by: nil) {
                    $0.set(.basicConstraints(isAuthority: true))
                    $0.set(.keyUsage(.digitalSignature, .keyCertSign))
                }
                return try Chain(sent: [root], trusted: [root])
            },
        ])
}

/// A root, and two intermediates below it.
func twoIntermediates() throws -> (root: IssuedCertificate, upper: IssuedCertificate, lower: IssuedCertificate) {
    let root = try authority("Root")
    let upper = try authority("Upper", by: root)
    return (root, upper, try authority("Lower", by: upper))
}
