#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// An alternative name of a certificate (RFC 5280 §4.2.1.6).
enum SubjectName: Equatable {
    case host(String)
    case address([UInt8])
    case uri(String)
    case email(String)

    /// A host name, or an address if the text is an address.
    ///
    /// Peers compare the two differently (RFC 9525 §6): no peer matches `127.0.0.1` as a host name.
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
        case .uri(let text): .uri(text)
        case .email(let text): .email(text)
        }
    }

    init(uri text: String) throws(DevelopmentCertificateError) {
        let scheme = text.prefix { $0 != ":" }
        let rest = text.dropFirst(scheme.count + 1)
        let isScheme = scheme.first?.isLetter == true && scheme.allSatisfy { $0.isLetter || $0.isNumber || "+-.".contains($0) }
        // RFC 5280 §4.2.1.6: an absolute URI, in ASCII.
        if !isScheme || rest.isEmpty {
            throw .invalidURI(text, reason: "it must begin with a scheme, as in spiffe://example.org/service")
        }
        if let reason = Self.faultyCharacter(in: text) { throw .invalidURI(text, reason: reason) }
        self = .uri(text)
    }

    init(emailAddress text: String) throws(DevelopmentCertificateError) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        if parts.count != 2 || parts.contains("") { throw .invalidEmailAddress(text, reason: "it must be written as name@host") }
        if let reason = Self.faultyCharacter(in: text) { throw .invalidEmailAddress(text, reason: reason) }
        self = .email(text)
    }

    private static func faultyCharacter(in text: String) -> String? {
        let isPrintable = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
        return isPrintable ? nil : "it has spaces, control characters or characters outside ASCII"
    }

    /// Returns the 4 or 16 bytes of an address; nil if the text is not one.
    private static func address(_ text: String) -> [UInt8]? {
        // `inet_pton` stops at a NUL character.
        if text.utf8.contains(0) { return nil }
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }

    /// Returns the reason for which no peer would match the text as a host name; nil if it is a valid one.
    private static func fault(in text: String) -> String? {
        if text.isEmpty { return "it is empty" }
        if text.contains(":") { return "it is not an IPv6 address, and a name is written without a port or scheme" }
        if text.utf8.contains(where: { $0 > 127 }) { return "write an international name in its xn-- form" }
        if text.utf8.count > 253 { return "a host name has at most 253 characters" }

        var labels = text.split(separator: ".", omittingEmptySubsequences: false)
        if labels.last?.allSatisfy(\.isNumber) == true, labels.last?.isEmpty == false {
            return "it ends like an IPv4 address, but is none"
        }
        // RFC 9525 §6: the wildcard is the whole leftmost label, and must be followed by others.
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
