import DevelopmentCertificates
import SecureSockets
import TestSupport

extension ChainGroup {
    static let authorities = ChainGroup(
        "Issuers that are no authorities",
        [
            ChainCase("The intermediate's key usage lacks keyCertSign", .refused(.notAuthority)) {
                try chainWithIntermediate { $0.set(.keyUsage(.digitalSignature, .crlSign)) }
            },
            ChainCase("The intermediate has no key usage", .accepted) {
                try chainWithIntermediate { $0.remove(ExtensionValue.keyUsageID) }
            },
            ChainCase("The intermediate has CA:FALSE", .refused(.notAuthority)) {
                try chainWithIntermediate { $0.set(.basicConstraints(isAuthority: false)) }
            },
            ChainCase("The intermediate has no basic constraints", .refused(.notAuthority)) {
                try chainWithIntermediate { $0.remove(ExtensionValue.basicConstraintsID) }
            },
            ChainCase("The intermediate's basic constraints are not critical", .accepted) {
                try chainWithIntermediate { $0.set(.basicConstraints(isAuthority: true).critical(false)) }
            },
            ChainCase("The intermediate has version 1", .refused(.notAuthority)) {
                try chainWithIntermediate { $0.version = 1 }
            },
            ChainCase("The trusted root has version 1", .accepted) { try chainWithRoot { $0.version = 1 } },
            ChainCase("The trusted root's key usage lacks keyCertSign", .refused(.notAuthority)) {
                try chainWithRoot { $0.set(.keyUsage(.digitalSignature)) }
            },
            ChainCase("The trusted root has no basic constraints", .refused(.notAuthority), why: .trustedIssuer) {
                try chainWithRoot { $0.remove(ExtensionValue.basicConstraintsID) }
            },
            ChainCase("A leaf has issued a leaf", .refused(.notAuthority)) {
                let root = try authority("Root")
                let issuer = try server(by: root)
                return try Chain(sent: [server(by: issuer, names: [.dns("www.example.org")]), issuer], trusted: [root])
            },
            ChainCase("A client's leaf was issued by a leaf", from: .client, .refused(.notAuthority)) {
                let root = try authority("Root")
                let issuer = try client(by: root)
                return try Chain(sent: [client(by: issuer), issuer], trusted: [root])
            },
            ChainCase("A self-signed server certificate, trusted itself, has issued another", .refused(.notAuthority)) {
                let issuer = try server(by: nil)
                return try Chain(sent: [server(by: issuer), issuer], trusted: [issuer])
            },
            ChainCase(
                "A self-signed server certificate without key usage, trusted itself, has issued another",
                .refused(.notAuthority)
            ) {
                let issuer = try server(by: nil) { $0.remove(ExtensionValue.keyUsageID) }
                return try Chain(sent: [server(by: issuer), issuer], trusted: [issuer])
            },
        ])

    static let pathLengths = ChainGroup(
        "Path lengths",
        [
            ChainCase("The root allows no intermediate, and there is one", .refused(.pathLengthExceeded)) {
                try chain(rootAllows: 0, intermediates: 1)
            },
            ChainCase("The root allows one intermediate, and there is one", .accepted) {
                try chain(rootAllows: 1, intermediates: 1)
            },
            ChainCase("The root allows one intermediate, and there are two", .refused(.pathLengthExceeded)) {
                try chain(rootAllows: 1, intermediates: 2)
            },
            ChainCase("The upper intermediate allows none below it, and there is one", .refused(.pathLengthExceeded)) {
                let root = try authority("Root")
                let upper = try authority("Upper", by: root, pathLength: 0)
                let lower = try authority("Lower", by: upper)
                return try Chain(sent: [server(by: lower), lower, upper], trusted: [root])
            },
            ChainCase("The intermediate allows none below it, and issues leaves only", .accepted) {
                let root = try authority("Root")
                let intermediate = try authority("Intermediate", by: root, pathLength: 0)
                return try Chain(sent: [server(by: intermediate), intermediate], trusted: [root])
            },
            ChainCase(
                "The intermediate allows none below it, and has issued a certificate to itself", .accepted, why: .selfIssued
            ) {
                let root = try authority("Root")
                let intermediate = try authority("Intermediate", by: root, pathLength: 0)
                let selfIssued = try authority("Intermediate", by: intermediate, pathLength: 0)
                return try Chain(sent: [server(by: selfIssued), selfIssued, intermediate], trusted: [root])
            },
            ChainCase("The leaf is an authority, and its issuer allows none below it", .accepted) {
                let root = try authority("Root", pathLength: 0)
                let leaf = try server(by: root) {
                    $0.set(.basicConstraints(isAuthority: true))
                    $0.set(.keyUsage(.digitalSignature, .keyCertSign))
                }
                return try Chain(sent: [leaf], trusted: [root])
            },
            ChainCase("Nine intermediates are sent", .accepted) { try chain(rootAllows: nil, intermediates: 9) },
        ])

    private static func chain(rootAllows pathLength: Int?, intermediates: Int) throws -> Chain {
        let root = try authority("Root", pathLength: pathLength)
        var sent: [IssuedCertificate] = []
        for number in 1...intermediates { sent.insert(try authority("Intermediate \(number)", by: sent.first ?? root), at: 0) }
        return try Chain(sent: [server(by: sent.first)] + sent, trusted: [root])
    }
}
