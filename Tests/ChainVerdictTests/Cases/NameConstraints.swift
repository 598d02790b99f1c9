import DevelopmentCertificates
import SecureSockets
import TestSupport

/// A chain of a root with name constraints, and a leaf with these names.
private func constrained(
    permitted: [GeneralNameValue] = [], excluded: [GeneralNameValue] = [],
    names: [GeneralNameValue] = [.dns("www.example.org")], change: (inout CertificateDraft) -> Void = { _ in }
) throws -> Chain {
    let root = try authority("Root") { $0.set(.nameConstraints(permitted: permitted, excluded: excluded)) }
    return try Chain(sent: [server(by: root, names: names, change: change)], trusted: [root])
}

/// A chain of a root, an intermediate with name constraints, and a leaf with these names.
private func constrainedBelow(
    permitted: [GeneralNameValue] = [], excluded: [GeneralNameValue] = [],
    names: [GeneralNameValue] = [.dns("www.example.org")], change: (inout CertificateDraft) -> Void = { _ in }
) throws -> Chain {
    let root = try authority("Root")
    let intermediate = try authority("Intermediate", by: root) {
        $0.set(.nameConstraints(permitted: permitted, excluded: excluded))
    }
    return try Chain(sent: [server(by: intermediate, names: names, change: change), intermediate], trusted: [root])
}

extension ChainGroup {
    static let dnsConstraints = ChainGroup(
        "Name constraints for host names",
        [
            ChainCase("The name is within the permitted domain", .accepted) { try constrained(permitted: [.dns("example.org")]) },
            ChainCase("The name is the permitted name", .accepted) { try constrained(permitted: [.dns("www.example.org")]) },
            ChainCase("The name is outside of the permitted domain", .refused(.nameConstraint)) {
                try constrained(permitted: [.dns("example.com")])
            },
            ChainCase("The permitted domain is a suffix of a label only", .refused(.nameConstraint)) {
                try constrained(permitted: [.dns("ample.org")])
            },
            ChainCase("The name is within the second permitted domain", .accepted) {
                try constrained(permitted: [.dns("example.com"), .dns("example.org")])
            },
            ChainCase("A second name is outside of the permitted domain", .refused(.nameConstraint)) {
                try constrained(permitted: [.dns("example.org")], names: [.dns("www.example.org"), .dns("www.example.com")])
            },
            ChainCase("The name is within the excluded domain", .refused(.nameConstraint)) {
                try constrained(excluded: [.dns("example.org")])
            },
            ChainCase("The name is outside of the excluded domain", .accepted) {
                try constrained(excluded: [.dns("example.com")])
            },
            ChainCase("The name is within the permitted domain, and within the excluded one", .refused(.nameConstraint)) {
                try constrained(permitted: [.dns("example.org")], excluded: [.dns("www.example.org")])
            },
            ChainCase("The constraint is in upper case", .accepted) { try constrained(permitted: [.dns("EXAMPLE.ORG")]) },
            ChainCase("The permitted domain has a leading dot", .accepted) { try constrained(permitted: [.dns(".example.org")]) },
            ChainCase(
                "The permitted domain has a leading dot, and the name is the domain itself", host: "example.org",
                .refused(.nameConstraint)
            ) {
                try constrained(permitted: [.dns(".example.org")], names: [.dns("example.org")])
            },
            ChainCase("All host names are excluded", .refused(.nameConstraint)) { try constrained(excluded: [.dns("")]) },
            ChainCase("A wildcard is within the permitted domain", .accepted) {
                try constrained(permitted: [.dns("example.org")], names: [.dns("*.example.org")])
            },
            ChainCase("A wildcard covers an excluded name", .refused(.nameConstraint), why: .wildcardExclusion) {
                try constrained(excluded: [.dns("www.example.org")], names: [.dns("*.example.org")])
            },
            ChainCase("A wildcard covers more than the permitted name", .refused(.nameConstraint)) {
                try constrained(permitted: [.dns("www.example.org")], names: [.dns("*.example.org")])
            },
            ChainCase("The constraint is not critical, and the name is outside", .refused(.nameConstraint)) {
                let root = try authority("Root") {
                    $0.set(.nameConstraints(permitted: [.dns("example.com")]).critical(false))
                }
                return try Chain(sent: [server(by: root)], trusted: [root])
            },
            ChainCase("An intermediate permits the domain", .accepted) { try constrainedBelow(permitted: [.dns("example.org")]) },
            ChainCase("An intermediate permits another domain", .refused(.nameConstraint)) {
                try constrainedBelow(permitted: [.dns("example.com")])
            },
            ChainCase("An intermediate excludes the domain", .refused(.nameConstraint)) {
                try constrainedBelow(excluded: [.dns("example.org")])
            },
            ChainCase("The root permits the domain, and the intermediate only another name of it", .refused(.nameConstraint)) {
                let root = try authority("Root") { $0.set(.nameConstraints(permitted: [.dns("example.org")])) }
                let intermediate = try authority("Intermediate", by: root) {
                    $0.set(.nameConstraints(permitted: [.dns("mail.example.org")]))
                }
                return try Chain(sent: [server(by: intermediate), intermediate], trusted: [root])
            },
            ChainCase("The intermediate permits all domains, and the root only another", .refused(.nameConstraint)) {
                let root = try authority("Root") { $0.set(.nameConstraints(permitted: [.dns("example.com")])) }
                let intermediate = try authority("Intermediate", by: root) {
                    $0.set(.nameConstraints(permitted: [.dns("")]))
                }
                return try Chain(sent: [server(by: intermediate), intermediate], trusted: [root])
            },
            ChainCase("The leaf has an address only, and a domain is permitted", host: "192.0.2.1", .accepted) {
                try constrained(permitted: [.dns("example.org")], names: [.address([192, 0, 2, 1])])
            },
            ChainCase("The leaf has a common name only, within the permitted domain", .refused(.wrongName), why: .commonName) {
                try constrained(permitted: [.dns("example.org")], change: withCommonNameOnly)
            },
            ChainCase(
                "The leaf has a common name only, outside of the permitted domain; no name is asked for", host: nil,
                .refused(.nameConstraint)
            ) {
                try constrained(permitted: [.dns("example.com")], change: withCommonNameOnly)
            },
        ])

    static let addressConstraints = ChainGroup(
        "Name constraints for addresses",
        [
            ChainCase("IPv4: the address is within the permitted range", host: "192.0.2.1", .accepted) {
                try constrained(permitted: [.address([192, 0, 2, 0, 255, 255, 255, 0])], names: [.address([192, 0, 2, 1])])
            },
            ChainCase("IPv4: the address is outside of the permitted range", host: "192.0.3.1", .refused(.nameConstraint)) {
                try constrained(permitted: [.address([192, 0, 2, 0, 255, 255, 255, 0])], names: [.address([192, 0, 3, 1])])
            },
            ChainCase("IPv4: the address is within the excluded range", host: "192.0.2.1", .refused(.nameConstraint)) {
                try constrained(excluded: [.address([192, 0, 2, 0, 255, 255, 255, 0])], names: [.address([192, 0, 2, 1])])
            },
            ChainCase("IPv4: the address is outside of the excluded range", host: "192.0.3.1", .accepted) {
                try constrained(excluded: [.address([192, 0, 2, 0, 255, 255, 255, 0])], names: [.address([192, 0, 3, 1])])
            },
            ChainCase("IPv4: 127.0.0.1 in a critical extension, 127.0.0.0/8 being permitted", host: "127.0.0.1", .accepted) {
                try constrained(permitted: [.address([127, 0, 0, 0, 255, 0, 0, 0])]) {
                    $0.set(.alternativeNames([.address([127, 0, 0, 1])]).critical())
                }
            },
            ChainCase("IPv4: an intermediate permits the range", host: "192.0.2.1", .accepted) {
                try constrainedBelow(permitted: [.address([192, 0, 2, 0, 255, 255, 255, 0])], names: [.address([192, 0, 2, 1])])
            },
            ChainCase("IPv4: an intermediate permits another range", host: "192.0.3.1", .refused(.nameConstraint)) {
                try constrainedBelow(permitted: [.address([192, 0, 2, 0, 255, 255, 255, 0])], names: [.address([192, 0, 3, 1])])
            },
            ChainCase("IPv4: all addresses are excluded", host: "192.0.2.1", .refused(.nameConstraint)) {
                try constrained(excluded: [.address([0, 0, 0, 0, 0, 0, 0, 0])], names: [.address([192, 0, 2, 1])])
            },
            ChainCase("IPv6: the address is within the permitted range", host: "2001:db8::1", .accepted) {
                try constrained(permitted: [.address(documentation + mask(32))], names: [.address(documentationHost)])
            },
            ChainCase("IPv6: the address is outside of the permitted range", host: "2001:db8::1", .refused(.nameConstraint)) {
                try constrained(permitted: [.address(uniqueLocal + mask(8))], names: [.address(documentationHost)])
            },
            ChainCase("IPv6: the address is within the excluded range", host: "2001:db8::1", .refused(.nameConstraint)) {
                try constrained(excluded: [.address(documentation + mask(32))], names: [.address(documentationHost)])
            },
            ChainCase("IPv6: the address is outside of the excluded range", host: "2001:db8::1", .accepted) {
                try constrained(excluded: [.address(uniqueLocal + mask(8))], names: [.address(documentationHost)])
            },
            ChainCase("An IPv4 range is permitted, and the address is IPv6", host: "2001:db8::1", .refused(.nameConstraint)) {
                try constrained(permitted: [.address([192, 0, 2, 0, 255, 255, 255, 0])], names: [.address(documentationHost)])
            },
            ChainCase("An IPv4 range is excluded, and the address is IPv6", host: "2001:db8::1", .accepted) {
                try constrained(excluded: [.address([192, 0, 2, 0, 255, 255, 255, 0])], names: [.address(documentationHost)])
            },
            ChainCase("The leaf has host names only, and a range is permitted", .accepted) {
                try constrained(permitted: [.address([192, 0, 2, 0, 255, 255, 255, 0])])
            },
            ChainCase("The permitted range has six bytes", host: "192.0.2.1", .refused(.nameConstraint)) {
                try constrained(permitted: [.address([192, 0, 2, 255, 255, 255])], names: [.address([192, 0, 2, 1])])
            },
            ChainCase(
                "The mask of the permitted range has a gap", host: "192.0.2.1", .refused(.nameConstraint),
                why: .contiguousMask
            ) {
                try constrained(permitted: [.address([192, 0, 0, 1, 255, 0, 0, 255])], names: [.address([192, 0, 2, 1])])
            },
        ])

    static let otherConstraints = ChainGroup(
        "Name constraints for other names",
        [
            ChainCase("E-mail: the host is permitted", .accepted) {
                try constrained(permitted: [.email("example.org")], names: withMail("a@example.org"))
            },
            ChainCase("E-mail: another host is permitted", .refused(.nameConstraint)) {
                try constrained(permitted: [.email("example.com")], names: withMail("a@example.org"))
            },
            ChainCase("E-mail: the host is excluded", .refused(.nameConstraint)) {
                try constrained(excluded: [.email("example.org")], names: withMail("a@example.org"))
            },
            ChainCase("E-mail: another host is excluded", .accepted) {
                try constrained(excluded: [.email("example.com")], names: withMail("a@example.org"))
            },
            ChainCase("E-mail: the hosts of a domain are permitted", .accepted) {
                try constrained(permitted: [.email(".example.org")], names: withMail("a@mail.example.org"))
            },
            ChainCase("E-mail: a host is permitted, and the leaf has no mailbox", .accepted) {
                try constrained(permitted: [.email("example.com")])
            },
            ChainCase("URI: the host is permitted", .accepted) {
                try constrained(permitted: [.uri("www.example.org")], names: withURI("https://www.example.org/a"))
            },
            ChainCase("URI: another host is permitted", .refused(.nameConstraint)) {
                try constrained(permitted: [.uri("www.example.com")], names: withURI("https://www.example.org/a"))
            },
            ChainCase("Directory name: the subject is within the permitted subtree", .accepted) {
                try constrained(permitted: [.directory(.organization("Example"))]) {
                    $0.subject = .name(organization: "Example", "Server")
                }
            },
            ChainCase("Directory name: the subject is outside of the permitted subtree", .refused(.nameConstraint)) {
                try constrained(permitted: [.directory(.organization("Example"))]) {
                    $0.subject = .name(organization: "Other", "Server")
                }
            },
            ChainCase("Directory name: the subject is within the excluded subtree", .refused(.nameConstraint)) {
                try constrained(excluded: [.directory(.organization("Example"))]) {
                    $0.subject = .name(organization: "Example", "Server")
                }
            },
            ChainCase("Directory name: the subject is outside of the excluded subtree", .accepted, why: .directoryName) {
                try constrained(excluded: [.directory(.organization("Example"))]) {
                    $0.subject = .name(organization: "Other", "Server")
                }
            },
            ChainCase(
                "Directory name: a client's subject is outside of the permitted subtree", from: .client,
                .refused(.nameConstraint)
            ) {
                let root = try authority("Root") {
                    $0.set(.nameConstraints(permitted: [.directory(.organization("Example"))]))
                }
                let leaf = try client(by: root) { $0.subject = .name(organization: "Other", "Client") }
                return try Chain(sent: [leaf], trusted: [root])
            },
            ChainCase("A constraint of an unknown kind, and the leaf has no such name", .accepted, why: .absentName) {
                try constrained(permitted: [.registeredID("1.2.3.4")])
            },
            ChainCase("A constraint of an unknown kind, and the leaf has such a name", .refused(.nameConstraint)) {
                try constrained(
                    permitted: [.registeredID("1.2.3.4")], names: [.dns("www.example.org"), .registeredID("1.2.3.4")])
            },
        ])

    private static func withMail(_ address: String) -> [GeneralNameValue] { [.dns("www.example.org"), .email(address)] }
    private static func withURI(_ uri: String) -> [GeneralNameValue] { [.dns("www.example.org"), .uri(uri)] }

    private static let withCommonNameOnly: @Sendable (inout CertificateDraft) -> Void = { draft in
        draft.subject = .name("www.example.org")
        draft.remove(ExtensionValue.subjectAlternativeNameID)
    }

    /// 2001:db8::
    private static let documentation: [UInt8] = [0x20, 0x01, 0x0d, 0xb8] + Array(repeating: 0, count: 12)
    /// 2001:db8::1
    private static let documentationHost: [UInt8] = documentation.dropLast() + [1]
    /// fd00::
    private static let uniqueLocal: [UInt8] = [0xfd] + Array(repeating: 0, count: 15)

    /// The mask of a prefix of whole bytes.
    private static func mask(_ bits: Int) -> [UInt8] { (0..<16).map { $0 < bits / 8 ? 0xff : 0 } }
}
