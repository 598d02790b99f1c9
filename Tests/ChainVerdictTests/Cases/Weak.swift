import DevelopmentCertificates
import SecureSockets
import TestSupport

extension ChainGroup {
    static let weak = ChainGroup(
        "Weak signatures and keys",
        [
            ChainCase("The leaf is signed with RSA and SHA-1", .refused(.weakSignature)) {
                let root = try authority("Root", key: .rsa(bits: 2048, number: 0))
                return try Chain(sent: [server(by: root) { $0.signatureAlgorithm = .rsaSHA1 }], trusted: [root])
            },
            ChainCase("The leaf is signed with ECDSA and SHA-1", .refused(.weakSignature)) {
                try chainOfServer { $0.signatureAlgorithm = .ecdsaSHA1 }
            },
            ChainCase("A client's leaf is signed with ECDSA and SHA-1", from: .client, .refused(.weakSignature)) {
                let root = try authority("Root")
                return try Chain(sent: [client(by: root) { $0.signatureAlgorithm = .ecdsaSHA1 }], trusted: [root])
            },
            ChainCase("The intermediate is signed with SHA-1", .refused(.weakSignature)) {
                try chainWithIntermediate { $0.signatureAlgorithm = .ecdsaSHA1 }
            },
            ChainCase("The trusted root is signed with SHA-1", .accepted) {
                try chainWithRoot { $0.signatureAlgorithm = .ecdsaSHA1 }
            },
            ChainCase("The trusted root is signed with SHA-1 and is sent as well", .accepted) {
                let root = try authority("Root") { $0.signatureAlgorithm = .ecdsaSHA1 }
                return try Chain(sent: [server(by: root), root], trusted: [root])
            },
            ChainCase("A self-signed certificate that is trusted itself is signed with SHA-1", .accepted) {
                let leaf = try server(by: nil) { $0.signatureAlgorithm = .ecdsaSHA1 }
                return try Chain(sent: [leaf], trusted: [leaf])
            },
            ChainCase("Sent: an intermediate signed with SHA-1 before its renewal with SHA-256", .accepted, why: .validPath) {
                let key = try CertificateKey.p256()
                let root = try authority("Root")
                let old = try authority("Intermediate", key: key, by: root) { $0.signatureAlgorithm = .ecdsaSHA1 }
                let renewed = try authority("Intermediate", key: key, by: root)
                return try Chain(sent: [server(by: renewed), old, renewed], trusted: [root])
            },
            ChainCase("Sent: a cross certificate signed with SHA-1 for a root that is trusted", .accepted) {
                let key = try CertificateKey.p256()
                let root = try authority("Root", key: key)
                let cross = try authority("Root", key: key, by: authority("Old root")) { $0.signatureAlgorithm = .ecdsaSHA1 }
                return try Chain(sent: [server(by: root), cross], trusted: [root])
            },
            ChainCase("The leaf is signed with RSA and MD5", .refused(.unsupportedAlgorithm)) { MD5Chain.chain },
            ChainCase("The leaf's key is RSA with 1024 bits", .refused(.weakKey), why: .weakKey) {
                let root = try authority("Root")
                return try Chain(sent: [server(by: root, key: .rsa(bits: 1024, number: 0))], trusted: [root])
            },
            ChainCase("A client's key is RSA with 1024 bits", from: .client, .refused(.weakKey), why: .weakKey) {
                let root = try authority("Root")
                return try Chain(sent: [client(by: root, key: .rsa(bits: 1024, number: 0))], trusted: [root])
            },
            ChainCase("The intermediate's key is RSA with 1024 bits", .refused(.weakKey), why: .weakKey) {
                let root = try authority("Root")
                let intermediate = try authority("Intermediate", key: .rsa(bits: 1024, number: 0), by: root)
                return try Chain(sent: [server(by: intermediate), intermediate], trusted: [root])
            },
            ChainCase("The trusted root's key is RSA with 1024 bits", .accepted, why: .anchorKey) {
                let root = try authority("Root", key: .rsa(bits: 1024, number: 0))
                return try Chain(sent: [server(by: root)], trusted: [root])
            },
            ChainCase(
                "A self-signed certificate that is trusted itself has an RSA key with 1024 bits", .refused(.weakKey), why: .ownKey
            ) {
                let leaf = try server(by: nil, key: .rsa(bits: 1024, number: 0))
                return try Chain(sent: [leaf], trusted: [leaf])
            },
        ])
}
