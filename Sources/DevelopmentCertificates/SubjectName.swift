#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// One name a certificate is good for: a host name, or an address where the text is an address.
///
/// Peers compare the two differently (RFC 9525 §6): `127.0.0.1` as a host name would match nobody.
enum SubjectName: Equatable {
    case host(String)
    case address([UInt8])

    init(_ text: String) throws(DevelopmentCertificateError) {
        if let address = Self.address(text) {
            self = .address(address)
        } else if let reason = Self.fault(in: text) {
            throw .invalidName(text, reason: reason)
        } else {
            self = .host(text)
        }
    }

    var generalName: GeneralNameValue {
        switch self {
        case .host(let name): .dns(name)
        case .address(let bytes): .address(bytes)
        }
    }

    /// The 4 or 16 bytes of an address, nil when the text is none.
    private static func address(_ text: String) -> [UInt8]? {
        // `inet_pton` stops at a NUL character.
        if text.utf8.contains(0) { return nil }
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }

    /// Why no peer would match this as a host name, nil when it is one.
    private static func fault(in text: String) -> String? {
        if text.isEmpty { return "it is empty" }
        if text.contains(":") { return "it is no IPv6 address, and a name is written without a port or scheme" }
        if text.utf8.contains(where: { $0 > 127 }) { return "write an international name in its xn-- form" }
        if text.utf8.count > 253 { return "a host name has at most 253 characters" }

        var labels = text.split(separator: ".", omittingEmptySubsequences: false)
        if labels.last?.allSatisfy(\.isNumber) == true, labels.last?.isEmpty == false {
            return "it ends like an IPv4 address, but is none"
        }
        // RFC 9525 §6: the wildcard is the whole of the leftmost label, and something must follow it.
        if labels.count > 1, labels[0] == "*" { labels.removeFirst() }
        for label in labels {
            if label.isEmpty { return "it has an empty part between its dots" }
            if label.utf8.count > 63 { return "the part '\(label)' has more than 63 characters" }
            if label.hasPrefix("-") || label.hasSuffix("-") {
                return "the part '\(label)' begins or ends with a hyphen"
            }
            if label.contains("*") { return "a wildcard stands only for the whole first part, as in *.example.org" }
            let letters = label.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
            if !letters { return "the part '\(label)' holds more than letters, digits and hyphens" }
        }
        return nil
    }
}
