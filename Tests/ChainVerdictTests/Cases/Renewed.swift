import DevelopmentCertificates
import SecureSockets
import TestSupport

/// The certificates of an authority that renewed its certificate and kept its name and key.
private struct RenewedRoot {
    let old: IssuedCertificate
    let renewed: IssuedCertificate

    init(old validity: ValidityPeriod = .expired) throws {
        let key = try CertificateKey.p256()
        self.old = try authority("Root", key: key) { $0.validity = validity }
        self.renewed = try authority("Root", key: key)
    }
}

private struct RenewedIntermediate {
    let root: IssuedCertificate
    let old: IssuedCertificate
    let renewed: IssuedCertificate

    init(changeOfOld: (inout CertificateDraft) -> Void = { $0.validity = .expired }) throws {
        let key = try CertificateKey.p256()
        self.root = try authority("Root")
        self.old = try authority("Intermediate", key: key, by: self.root, change: changeOfOld)
        self.renewed = try authority("Intermediate", key: key, by: self.root)
    }
}

extension ChainGroup {
    static let renewed = ChainGroup(
        "Renewed authorities: same name and key, new dates",
        [
            ChainCase("Trusted: an expired root before its renewal", .accepted) {
                let root = try RenewedRoot()
                return try Chain(sent: [server(by: root.renewed)], trusted: [root.old, root.renewed])
            },
            ChainCase("Trusted: an expired root after its renewal", .accepted) {
                let root = try RenewedRoot()
                return try Chain(sent: [server(by: root.renewed)], trusted: [root.renewed, root.old])
            },
            ChainCase("Trusted: a root that is not yet valid before one that is", .accepted) {
                let root = try RenewedRoot(old: .notYetValid)
                return try Chain(sent: [server(by: root.renewed)], trusted: [root.old, root.renewed])
            },
            ChainCase("Trusted: the renewed root; sent: the expired one", .accepted) {
                let root = try RenewedRoot()
                return try Chain(sent: [server(by: root.renewed), root.old], trusted: [root.renewed])
            },
            ChainCase("Trusted: the expired root; sent: the renewed one", .refused(.expired)) {
                let root = try RenewedRoot()
                return try Chain(sent: [server(by: root.renewed), root.renewed], trusted: [root.old])
            },
            ChainCase("A client's root: the expired one before its renewal", from: .client, .accepted) {
                let root = try RenewedRoot()
                return try Chain(sent: [client(by: root.renewed)], trusted: [root.old, root.renewed])
            },
            ChainCase("Sent: an expired intermediate before its renewal", .accepted) {
                let intermediate = try RenewedIntermediate()
                let sent = try [server(by: intermediate.renewed), intermediate.old, intermediate.renewed]
                return try Chain(sent: sent, trusted: [intermediate.root])
            },
            ChainCase("Sent: an expired intermediate after its renewal", .accepted) {
                let intermediate = try RenewedIntermediate()
                let sent = try [server(by: intermediate.renewed), intermediate.renewed, intermediate.old]
                return try Chain(sent: sent, trusted: [intermediate.root])
            },
            ChainCase("Sent: an intermediate that is not yet valid before one that is", .accepted) {
                let intermediate = try RenewedIntermediate { $0.validity = .notYetValid }
                let sent = try [server(by: intermediate.renewed), intermediate.old, intermediate.renewed]
                return try Chain(sent: sent, trusted: [intermediate.root])
            },
            ChainCase("Sent: the renewed intermediate; trusted: the expired one and the root", .accepted, why: .validPath) {
                let intermediate = try RenewedIntermediate()
                let sent = try [server(by: intermediate.renewed), intermediate.renewed]
                return try Chain(sent: sent, trusted: [intermediate.old, intermediate.root])
            },
            ChainCase("Sent: the expired intermediate; trusted: the renewed one and the root", .accepted) {
                let intermediate = try RenewedIntermediate()
                let sent = try [server(by: intermediate.renewed), intermediate.old]
                return try Chain(sent: sent, trusted: [intermediate.root, intermediate.renewed])
            },
            ChainCase("Sent: two expired intermediates before their renewal", .accepted) {
                let (upperKey, lowerKey) = (try CertificateKey.p256(), try CertificateKey.p256())
                let root = try authority("Root")
                let oldUpper = try authority("Upper", key: upperKey, by: root) { $0.validity = .expired }
                let upper = try authority("Upper", key: upperKey, by: root)
                let oldLower = try authority("Lower", key: lowerKey, by: upper) { $0.validity = .expired }
                let lower = try authority("Lower", key: lowerKey, by: upper)
                return try Chain(sent: [server(by: lower), oldLower, lower, oldUpper, upper], trusted: [root])
            },
            ChainCase(
                "Sent: an intermediate that may not issue for servers before its renewal, which may", .accepted,
                why: .validPath
            ) {
                let intermediate = try RenewedIntermediate { $0.set(.extendedKeyUsage(.client)) }
                let sent = try [server(by: intermediate.renewed), intermediate.old, intermediate.renewed]
                return try Chain(sent: sent, trusted: [intermediate.root])
            },
            ChainCase(
                "Sent: an intermediate that excludes the name before its renewal, which does not", .accepted, why: .validPath
            ) {
                let intermediate = try RenewedIntermediate { $0.set(.nameConstraints(excluded: [.dns("example.org")])) }
                let sent = try [server(by: intermediate.renewed), intermediate.old, intermediate.renewed]
                return try Chain(sent: sent, trusted: [intermediate.root])
            },
        ])
}
