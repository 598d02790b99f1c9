import DevelopmentCertificates
import SecureSockets
import TestSupport

extension ChainGroup {
    static let purposes = ChainGroup(
        "Purposes",
        [
            ChainCase("A server presents a client's certificate", .refused(.wrongPurpose)) {
                try chainOfServer { $0.set(.extendedKeyUsage(.client)) }
            },
            ChainCase("A client presents a server's certificate", from: .client, .refused(.wrongPurpose)) {
                let root = try authority("Root")
                return try Chain(sent: [server(by: root)], trusted: [root])
            },
            ChainCase("The leaf is for servers and clients", .accepted) {
                try chainOfServer { $0.set(.extendedKeyUsage(.server, .client)) }
            },
            ChainCase("A client's leaf is for servers and clients", from: .client, .accepted) {
                let root = try authority("Root")
                return try Chain(sent: [client(by: root) { $0.set(.extendedKeyUsage(.server, .client)) }], trusted: [root])
            },
            ChainCase("The leaf is for code signing", .refused(.wrongPurpose)) {
                try chainOfServer { $0.set(.extendedKeyUsage(.codeSigning)) }
            },
            ChainCase("The leaf has no extended key usage", .accepted) {
                try chainOfServer { $0.remove(ExtensionValue.extendedKeyUsageID) }
            },
            ChainCase("The leaf is for any extended key usage", .refused(.wrongPurpose), why: .anyPurpose) {
                try chainOfServer { $0.set(.extendedKeyUsage(.any)) }
            },
            ChainCase("The leaf is for servers and any extended key usage", .accepted) {
                try chainOfServer { $0.set(.extendedKeyUsage(.server, .any)) }
            },
            ChainCase("The leaf's extended key usage is critical", .accepted) {
                try chainOfServer { $0.set(.extendedKeyUsage(.server).critical()) }
            },
            ChainCase("The intermediate may issue for clients only", .refused(.wrongPurpose)) {
                try chainWithIntermediate { $0.set(.extendedKeyUsage(.client)) }
            },
            ChainCase("A client's intermediate may issue for servers only", from: .client, .refused(.wrongPurpose)) {
                let root = try authority("Root")
                let intermediate = try authority("Intermediate", by: root) { $0.set(.extendedKeyUsage(.server)) }
                return try Chain(sent: [client(by: intermediate), intermediate], trusted: [root])
            },
            ChainCase("The intermediate may issue for servers", .accepted) {
                try chainWithIntermediate { $0.set(.extendedKeyUsage(.server)) }
            },
            ChainCase("The intermediate may issue for any extended key usage", .refused(.wrongPurpose)) {
                try chainWithIntermediate { $0.set(.extendedKeyUsage(.any)) }
            },
            ChainCase("The trusted root is for clients only", .accepted, why: .anchorPurpose) {
                try chainWithRoot { $0.set(.extendedKeyUsage(.client)) }
            },
            ChainCase("The RSA leaf's key usage is keyEncipherment alone", .refused(.wrongPurpose), why: .signingKey) {
                let root = try authority("Root")
                let leaf = try server(by: root, key: .rsa(bits: 2048, number: 0)) { $0.set(.keyUsage(.keyEncipherment)) }
                return try Chain(sent: [leaf], trusted: [root])
            },
            ChainCase("The key usage of a client's RSA leaf is keyEncipherment alone", from: .client, .refused(.wrongPurpose)) {
                let root = try authority("Root")
                let leaf = try client(by: root, key: .rsa(bits: 2048, number: 0)) { $0.set(.keyUsage(.keyEncipherment)) }
                return try Chain(sent: [leaf], trusted: [root])
            },
            ChainCase("The RSA leaf's key usage is keyCertSign alone", .refused(.wrongPurpose)) {
                let root = try authority("Root")
                let leaf = try server(by: root, key: .rsa(bits: 2048, number: 0)) { $0.set(.keyUsage(.keyCertSign)) }
                return try Chain(sent: [leaf], trusted: [root])
            },
            ChainCase("The leaf has no key usage", .accepted) { try chainOfServer { $0.remove(ExtensionValue.keyUsageID) } },
            ChainCase("The leaf is an authority as well", .accepted) {
                try chainOfServer {
                    $0.set(.basicConstraints(isAuthority: true))
                    $0.set(.keyUsage(.digitalSignature, .keyCertSign))
                }
            },
        ])
}
