import DevelopmentCertificates
import SecureSockets
import TestSupport

extension ChainGroup {
    static let validity = ChainGroup(
        "Expired and not yet valid",
        [
            ChainCase("The leaf has expired", .refused(.expired)) { try chainOfServer { $0.validity = .expired } },
            ChainCase("The leaf is not yet valid", .refused(.notYetValid)) { try chainOfServer { $0.validity = .notYetValid } },
            ChainCase("A client's leaf has expired", from: .client, .refused(.expired)) {
                let root = try authority("Root")
                return try Chain(sent: [client(by: root) { $0.validity = .expired }], trusted: [root])
            },
            ChainCase("The intermediate has expired", .refused(.expired)) {
                try chainWithIntermediate { $0.validity = .expired }
            },
            ChainCase("The intermediate is not yet valid", .refused(.notYetValid)) {
                try chainWithIntermediate { $0.validity = .notYetValid }
            },
            ChainCase("The root has expired", .refused(.expired)) { try chainWithRoot { $0.validity = .expired } },
            ChainCase("The root is not yet valid", .refused(.notYetValid)) { try chainWithRoot { $0.validity = .notYetValid } },
            ChainCase("A self-signed certificate that is trusted itself has expired", .refused(.expired)) {
                let leaf = try server(by: nil) { $0.validity = .expired }
                return try Chain(sent: [leaf], trusted: [leaf])
            },
        ])
}
