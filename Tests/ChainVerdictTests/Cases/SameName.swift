import DevelopmentCertificates
import SecureSockets
import TestSupport

extension ChainGroup {
    static let sameName = ChainGroup(
        "Authorities of one name with different keys",
        [
            ChainCase("Trusted: a root of the same name with another key before the right one", .accepted) {
                let (right, wrong) = try (authority("Root"), authority("Root"))
                return try Chain(sent: [server(by: right)], trusted: [wrong, right])
            },
            ChainCase("Trusted: a root of the same name with another key after the right one", .accepted) {
                let (right, wrong) = try (authority("Root"), authority("Root"))
                return try Chain(sent: [server(by: right)], trusted: [right, wrong])
            },
            ChainCase("Trusted without key identifiers: the wrong root before the right one", .accepted, why: .validPath) {
                let (right, wrong) = try (
                    authority("Root", change: withoutIdentifiers), authority("Root", change: withoutIdentifiers)
                )
                return try Chain(sent: [server(by: right, change: withoutIdentifiers)], trusted: [wrong, right])
            },
            ChainCase("Trusted without key identifiers: the wrong root after the right one", .accepted) {
                let (right, wrong) = try (
                    authority("Root", change: withoutIdentifiers), authority("Root", change: withoutIdentifiers)
                )
                return try Chain(sent: [server(by: right, change: withoutIdentifiers)], trusted: [right, wrong])
            },
            ChainCase("Sent: an intermediate of the same name with another key before the right one", .accepted) {
                let root = try authority("Root")
                let (right, wrong) = try (authority("Intermediate", by: root), authority("Intermediate", by: root))
                return try Chain(sent: [server(by: right), wrong, right], trusted: [root])
            },
            ChainCase("Sent: an intermediate of the same name with another key after the right one", .accepted) {
                let root = try authority("Root")
                let (right, wrong) = try (authority("Intermediate", by: root), authority("Intermediate", by: root))
                return try Chain(sent: [server(by: right), right, wrong], trusted: [root])
            },
            ChainCase("Sent without key identifiers: the wrong intermediate before the right one", .accepted, why: .validPath) {
                let root = try authority("Root")
                let right = try authority("Intermediate", by: root, change: withoutIdentifiers)
                let wrong = try authority("Intermediate", by: root, change: withoutIdentifiers)
                return try Chain(sent: [server(by: right, change: withoutIdentifiers), wrong, right], trusted: [root])
            },
            ChainCase("Sent without key identifiers: the wrong intermediate after the right one", .accepted) {
                let root = try authority("Root")
                let right = try authority("Intermediate", by: root, change: withoutIdentifiers)
                let wrong = try authority("Intermediate", by: root, change: withoutIdentifiers)
                return try Chain(sent: [server(by: right, change: withoutIdentifiers), right, wrong], trusted: [root])
            },
            ChainCase("Trusted: the wrong intermediate and the root; sent: the right intermediate", .accepted, why: .validPath) {
                let root = try authority("Root")
                let right = try authority("Intermediate", by: root, change: withoutIdentifiers)
                let wrong = try authority("Intermediate", by: root, change: withoutIdentifiers)
                return try Chain(sent: [server(by: right, change: withoutIdentifiers), right], trusted: [wrong, root])
            },
            ChainCase("An authority has a new key under its old name; the old certificate is trusted", .refused(.issuerUnknown)) {
                let (old, new) = try (authority("Root"), authority("Root"))
                return try Chain(sent: [server(by: new)], trusted: [old])
            },
            ChainCase("An authority without key identifiers has a new key under its old name", .refused(.badSignature)) {
                let old = try authority("Root", change: withoutIdentifiers)
                let new = try authority("Root", change: withoutIdentifiers)
                return try Chain(sent: [server(by: new, change: withoutIdentifiers)], trusted: [old])
            },
            ChainCase("An authority has a new key under its old name; the new certificate is sent", .refused(.untrustedRoot)) {
                let (old, new) = try (authority("Root"), authority("Root"))
                return try Chain(sent: [server(by: new), new], trusted: [old])
            },
            ChainCase("Sent: the right intermediate among 10 wrong ones of its name", .accepted, why: .validPath) {
                try wideBundle(of: 10)
            },
            ChainCase("Sent: the right intermediate among 20 wrong ones of its name", .accepted, why: .validPath) {
                try wideBundle(of: 20)
            },
        ])

    private static let withoutIdentifiers: @Sendable (inout CertificateDraft) -> Void = { $0.hasKeyIdentifiers = false }

    /// A leaf, and `count` intermediates of the right one's name, none of them with key identifiers, with the right one in the middle.
    private static func wideBundle(of count: Int) throws -> Chain {
        let root = try authority("Root")
        let right = try authority("Intermediate", by: root, change: withoutIdentifiers)
        var bundle = try (0..<count).map { _ in try authority("Intermediate", by: root, change: withoutIdentifiers) }
        bundle.insert(right, at: count / 2)
        return try Chain(sent: [server(by: right, change: withoutIdentifiers)] + bundle, trusted: [root])
    }
}
