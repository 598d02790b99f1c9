import DevelopmentCertificates
import SecureSockets
import TestSupport

extension ChainGroup {
    static let incomplete = ChainGroup(
        "Chains without a trusted end",
        [
            ChainCase("The root is not trusted", .refused(.issuerUnknown)) {
                let root = try authority("Root")
                return try Chain(sent: [server(by: root)], trusted: [authority("Other")])
            },
            ChainCase("The root is sent, but not trusted", .refused(.untrustedRoot)) {
                let root = try authority("Root")
                return try Chain(sent: [server(by: root), root], trusted: [authority("Other")])
            },
            ChainCase("The intermediate is not sent", .refused(.issuerUnknown)) {
                let root = try authority("Root")
                let intermediate = try authority("Intermediate", by: root)
                return try Chain(sent: [server(by: intermediate)], trusted: [root])
            },
            ChainCase("A self-signed certificate is not trusted", .refused(.selfSigned)) {
                try Chain(sent: [server(by: nil)], trusted: [authority("Other")])
            },
            ChainCase("A client's self-signed certificate is not trusted", from: .client, .refused(.selfSigned)) {
                try Chain(sent: [client(by: nil)], trusted: [authority("Other")])
            },
            ChainCase("The intermediate is in the trust file, beside its root", .accepted) {
                let root = try authority("Root")
                let intermediate = try authority("Intermediate", by: root)
                return try Chain(sent: [server(by: intermediate)], trusted: [intermediate, root])
            },
            ChainCase("The intermediate is trusted without its root", .refused(.issuerUnknown), why: .partialChain) {
                let root = try authority("Root")
                let intermediate = try authority("Intermediate", by: root)
                return try Chain(sent: [server(by: intermediate), intermediate], trusted: [intermediate])
            },
            ChainCase("The leaf is trusted without its issuer", .refused(.issuerUnknown), why: .partialChain) {
                let leaf = try server(by: authority("Root"))
                return try Chain(sent: [leaf], trusted: [leaf])
            },
            ChainCase("Trusted: the root and b; sent: the leaf, b, and a, which issued b", .accepted, why: .addedTrust) {
                let root = try authority("Root")
                let a = try authority("a", by: root)
                let b = try authority("b", by: a)
                return try Chain(sent: [server(by: b), b, a], trusted: [root, b])
            },
            ChainCase("Trusted: b and the root; sent: the leaf, b, and a, which issued b", .accepted, why: .addedTrust) {
                let root = try authority("Root")
                let a = try authority("a", by: root)
                let b = try authority("b", by: a)
                return try Chain(sent: [server(by: b), b, a], trusted: [b, root])
            },
        ])
}
