import DevelopmentCertificates
import SecureSockets
import TestSupport

/// A new root that an old one has cross-signed, and an intermediate of the new root.
private struct CrossSignedRoot {
    let old: IssuedCertificate
    let new: IssuedCertificate
    let cross: IssuedCertificate
    let intermediate: IssuedCertificate

    init(old validity: ValidityPeriod = .expired) throws {
        let key = try CertificateKey.p256()
        self.old = try authority("Old root") { $0.validity = validity }
        self.new = try authority("New root", key: key)
        self.cross = try authority("New root", key: key, by: self.old)
        self.intermediate = try authority("Intermediate", by: self.new)
    }

    func sent() throws -> [IssuedCertificate] { [try server(by: self.intermediate), self.intermediate, self.cross] }
}

/// An intermediate with a certificate from a trusted root, and another from a root that is not trusted.
private struct IntermediateOfTwoRoots {
    let root: IssuedCertificate
    let trusted: IssuedCertificate
    let other: IssuedCertificate

    init() throws {
        let key = try CertificateKey.p256()
        self.root = try authority("Root")
        self.trusted = try authority("Intermediate", key: key, by: self.root)
        self.other = try authority("Intermediate", key: key, by: authority("Unknown root"))
    }
}

extension ChainGroup {
    static let crossSigned = ChainGroup(
        "Cross-signed authorities",
        [
            ChainCase("Trusted: the new root; sent: the cross certificate", .accepted) {
                let roots = try CrossSignedRoot()
                return try Chain(sent: roots.sent(), trusted: [roots.new])
            },
            ChainCase("Trusted: the old root, valid; sent: the cross certificate", .accepted) {
                let roots = try CrossSignedRoot(old: .current)
                return try Chain(sent: roots.sent(), trusted: [roots.old])
            },
            ChainCase("Trusted: the expired old root before the new one; sent: the cross certificate", .accepted) {
                let roots = try CrossSignedRoot()
                return try Chain(sent: roots.sent(), trusted: [roots.old, roots.new])
            },
            ChainCase("Trusted: the expired old root after the new one; sent: the cross certificate", .accepted) {
                let roots = try CrossSignedRoot()
                return try Chain(sent: roots.sent(), trusted: [roots.new, roots.old])
            },
            ChainCase("Trusted: the expired old root alone; sent: the cross certificate", .refused(.expired)) {
                let roots = try CrossSignedRoot()
                return try Chain(sent: roots.sent(), trusted: [roots.old])
            },
            ChainCase("Trusted: both roots; sent: the cross certificate and the expired old root", .accepted) {
                let roots = try CrossSignedRoot()
                return try Chain(sent: roots.sent() + [roots.old], trusted: [roots.old, roots.new])
            },
            ChainCase("Trusted: the cross certificate, both roots", .accepted, why: .validPath) {
                let roots = try CrossSignedRoot()
                let sent = try [server(by: roots.intermediate), roots.intermediate]
                return try Chain(sent: sent, trusted: [roots.cross, roots.old, roots.new])
            },
            ChainCase(
                "Sent: an intermediate from an unknown root before the same from a trusted root", .accepted, why: .validPath
            ) {
                let intermediate = try IntermediateOfTwoRoots()
                let sent = try [server(by: intermediate.trusted), intermediate.other, intermediate.trusted]
                return try Chain(sent: sent, trusted: [intermediate.root])
            },
            ChainCase("Sent: an intermediate from an unknown root after the same from a trusted root", .accepted) {
                let intermediate = try IntermediateOfTwoRoots()
                let sent = try [server(by: intermediate.trusted), intermediate.trusted, intermediate.other]
                return try Chain(sent: sent, trusted: [intermediate.root])
            },
            ChainCase("Two intermediates have signed each other; no root has signed either", .refused(.issuerUnknown)) {
                let (a, b) = try loop()
                return try Chain(sent: [server(by: a.byOther), a.byOther, b.byOther], trusted: [authority("Other")])
            },
            ChainCase("Two intermediates have signed each other; a root has signed the upper one too", .accepted, why: .validPath)
            {
                let (a, b) = try loop()
                let root = try authority("Root")
                let way = try authority("b", key: b.key, by: root)
                return try Chain(sent: [server(by: a.byOther), a.byOther, b.byOther, way], trusted: [root])
            },
            ChainCase("Two intermediates have signed each other; a root has signed the leaf's issuer too", .accepted) {
                let (a, b) = try loop()
                let root = try authority("Root")
                let way = try authority("a", key: a.key, by: root)
                return try Chain(sent: [server(by: a.byOther), a.byOther, b.byOther, way], trusted: [root])
            },
        ])

    /// Two authorities, each with a certificate that the other has issued.
    private static func loop() throws -> (
        a: (key: CertificateKey, byOther: IssuedCertificate), b: (key: CertificateKey, byOther: IssuedCertificate)
    ) {
        let a = try authority("a")
        let b = try authority("b")
        return (
            (a.key, try authority("a", key: a.key, by: b)),
            (b.key, try authority("b", key: b.key, by: a))
        )
    }
}
