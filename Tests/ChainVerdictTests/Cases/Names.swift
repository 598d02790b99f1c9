import DevelopmentCertificates
import SecureSockets
import TestSupport

/// A chain of a root and a leaf with these host names.
private func named(_ names: String...) throws -> Chain { try chainOfServer(names: names.map { .dns($0) }) }

extension ChainGroup {
    static let hostNames = ChainGroup(
        "Host names",
        [
            ChainCase("The certificate is for another name", .refused(.wrongName)) {
                try named("www.example.com", "example.org")
            },
            ChainCase("The name is the last of several", .accepted) {
                try named("www.example.com", "example.org", "www.example.org")
            },
            ChainCase("The certificate's name is in upper case", .accepted) { try named("WWW.EXAMPLE.ORG") },
            ChainCase("The name that is asked for is in upper case", host: "WWW.EXAMPLE.ORG", .accepted) {
                try named("www.example.org")
            },
            ChainCase("The name that is asked for has a trailing dot", host: "www.example.org.", .accepted, why: .trailingDot) {
                try named("www.example.org")
            },
            ChainCase("The certificate's name has a trailing dot", .refused(.wrongName)) { try named("www.example.org.") },
            ChainCase("A wildcard stands for one label", .accepted) { try named("*.example.org") },
            ChainCase("A wildcard stands for a part of a label", .refused(.wrongName)) { try named("w*.example.org") },
            ChainCase("A wildcard stands for two labels", host: "a.b.example.org", .refused(.wrongName)) {
                try named("*.example.org")
            },
            ChainCase("A wildcard stands for no label", host: "example.org", .refused(.wrongName)) { try named("*.example.org") },
            ChainCase("A wildcard is not the first label", .refused(.wrongName)) { try named("www.*.org") },
            ChainCase("Two wildcards", .refused(.wrongName)) { try named("*.*.org") },
            ChainCase("A wildcard stands for a name below a top-level domain", host: "example.org", .refused(.wrongName)) {
                try named("*.org")
            },
            ChainCase("A wildcard alone", host: "localhost", .refused(.wrongName)) { try named("*") },
            ChainCase("A wildcard stands for an internationalized label", host: "xn--bcher-kva.example.org", .accepted) {
                try named("*.example.org")
            },
            ChainCase("An internationalized name", host: "xn--bcher-kva.example", .accepted) {
                try named("xn--bcher-kva.example")
            },
            ChainCase("The name has an underscore", host: "a_b.example.org", .accepted) { try named("a_b.example.org") },
            ChainCase("The certificate's name has a NUL after the name", .refused(.wrongName)) {
                try named("www.example.org\0.example.com")
            },
            ChainCase("The certificate's name is empty", .refused(.wrongName)) { try named("") },
            ChainCase("There are no alternative names, and the common name is right", .refused(.wrongName), why: .commonName) {
                try chainOfServer {
                    $0.subject = .name("www.example.org")
                    $0.remove(ExtensionValue.subjectAlternativeNameID)
                }
            },
            ChainCase("The common name is right, and the alternative name another", .refused(.wrongName)) {
                try chainOfServer(names: [.dns("www.example.com")]) { $0.subject = .name("www.example.org") }
            },
            ChainCase(
                "The common name is right, and the alternative name is a mailbox", .refused(.wrongName), why: .commonName
            ) {
                try chainOfServer(names: [.email("www@example.org")]) { $0.subject = .name("www.example.org") }
            },
            ChainCase("The list of alternative names is empty", .refused(.wrongName)) { try named() },
            ChainCase("The list of alternative names is empty; no name is asked for", host: nil, .accepted) { try named() },
        ])

    static let addresses = ChainGroup(
        "Addresses",
        [
            ChainCase("IPv4: the right address", host: "192.0.2.1", .accepted) {
                try chainOfServer(names: [.address([192, 0, 2, 1])])
            },
            ChainCase("IPv4: another address", host: "192.0.2.1", .refused(.wrongAddress)) {
                try chainOfServer(names: [.address([192, 0, 2, 2])])
            },
            ChainCase("IPv6: the right address", host: "2001:db8::1", .accepted) {
                try chainOfServer(names: [.address([0x20, 0x01, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [1])])
            },
            ChainCase("IPv6: another address", host: "2001:db8::1", .refused(.wrongAddress)) {
                try chainOfServer(names: [.address([0x20, 0x01, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [2])])
            },
            ChainCase("The address is written as a host name", host: "127.0.0.1", .refused(.wrongAddress)) {
                try named("127.0.0.1")
            },
            ChainCase("The address is the common name", host: "127.0.0.1", .refused(.wrongAddress)) {
                try chainOfServer {
                    $0.subject = .name("127.0.0.1")
                    $0.remove(ExtensionValue.subjectAlternativeNameID)
                }
            },
            ChainCase("A wildcard stands for a part of the address", host: "127.0.0.1", .refused(.wrongAddress)) {
                try named("*.0.0.1")
            },
            ChainCase("An IPv4 address is written as an IPv6 address", host: "192.0.2.1", .refused(.wrongAddress)) {
                try chainOfServer(names: [.address(Array(repeating: 0, count: 10) + [0xff, 0xff, 192, 0, 2, 1])])
            },
            ChainCase("The certificate has the address, and a name is asked for", .refused(.wrongName)) {
                try chainOfServer(names: [.address([192, 0, 2, 1])])
            },
            ChainCase("The certificate's address has five bytes", host: "192.0.2.1", .refused(.wrongAddress)) {
                try chainOfServer(names: [.address([192, 0, 2, 1, 0])])
            },
        ])
}
