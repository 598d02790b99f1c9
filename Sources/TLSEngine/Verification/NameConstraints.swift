internal import CNIOBoringSSL

/// The names that an authority may issue certificates for (RFC 5280 §4.2.1.10), checked here for chains in which the library meets a kind
/// of name that it does not know: addresses.
///
/// The library has decoded the same extensions strictly. What is not understood here is refused.
struct NameConstraints {
    private struct Subtree {
        let tag: UInt8
        let base: [UInt8]
        /// Minimum and maximum are not used in certificates (RFC 5280 §4.2.1.10).
        let hasBounds: Bool
    }

    private let permitted: [Subtree]
    private let excluded: [Subtree]

    /// Reads the constraints of an authority's certificate; nil if it has none.
    init?(of authority: OpaquePointer) {
        guard let bytes = extensionContent(NID_name_constraints, of: authority) else { return nil }
        var reader = DERReader(bytes[...])
        guard var fields = reader.sequence() else { return nil }
        self.permitted = Self.subtrees(fields.next(0xa0))
        self.excluded = Self.subtrees(fields.next(0xa1))
    }

    private static func subtrees(_ content: ArraySlice<UInt8>?) -> [Subtree] {
        guard let content else { return [] }
        var list = DERReader(content)
        var subtrees: [Subtree] = []
        while var subtree = list.sequence() {
            guard let base = subtree.next() else { continue }
            subtrees.append(Subtree(tag: base.tag, base: Array(base.content), hasBounds: !subtree.rest.isEmpty))
        }
        return subtrees
    }

    /// Why a certificate below the authority is refused, as one of the library's codes; nil if all of its alternative names are allowed.
    func refusal(of certificate: OpaquePointer) -> Int32? {
        guard let bytes = extensionContent(NID_subject_alt_name, of: certificate) else { return nil }
        var reader = DERReader(bytes[...])
        guard var names = reader.sequence() else { return CertificateRefusal.invalidExtension }
        while let name = names.next() {
            do throws(Unsupported) {
                let name = GeneralName(tag: name.tag, content: Array(name.content))
                let permitted = self.permitted.filter { $0.tag == name.tag }
                if !permitted.isEmpty, try !Self.matches(name, permitted, isExcluding: false) {
                    return CertificateRefusal.notPermitted
                }
                if try Self.matches(name, self.excluded.filter { $0.tag == name.tag }, isExcluding: true) {
                    return CertificateRefusal.excluded
                }
            } catch {
                return error.code
            }
        }
        return nil
    }

    private struct Unsupported: Error {
        let code: Int32

        static let kind = Unsupported(code: CertificateRefusal.unsupportedConstraint)
        static let syntax = Unsupported(code: CertificateRefusal.unsupportedConstraintSyntax)
    }

    private static func matches(
        _ name: GeneralName, _ subtrees: [Subtree], isExcluding: Bool
    ) throws(Unsupported) -> Bool {
        for subtree in subtrees {
            if subtree.hasBounds { throw .syntax }
            if try name.matches(subtree.base, isExcluding: isExcluding) { return true }
        }
        return false
    }

    private struct GeneralName {
        let tag: UInt8
        let content: [UInt8]

        func matches(_ base: [UInt8], isExcluding: Bool) throws(Unsupported) -> Bool {
            switch self.tag {
            case 0x81: Self.email(self.content, base)
            case 0x82: Self.domain(self.content, base, isExcluding: isExcluding)
            case 0x86: try Self.uri(self.content, base)
            case 0x87: try Self.address(self.content, base)
            default: throw .kind
            }
        }

        private static func lowercased(_ bytes: some Sequence<UInt8>) -> [UInt8] {
            bytes.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
        }

        private static let dot = UInt8(ascii: ".")
        private static let at = UInt8(ascii: "@")

        /// A name and all below it; with a dot in front only those below it.
        private static func domain(_ name: [UInt8], _ base: [UInt8], isExcluding: Bool) -> Bool {
            let (name, base) = (Self.lowercased(name), Self.lowercased(base))
            if base.isEmpty { return true }
            if base.first == Self.dot { return name.ends(with: base) }
            if name == base || name.ends(with: [Self.dot] + base) { return true }
            // A wildcard stands for the excluded name as well.
            guard isExcluding, name.starts(with: [UInt8(ascii: "*"), Self.dot]) else { return false }
            return base.ends(with: name.dropFirst())
        }

        /// A mailbox, all of a host, or all of a domain.
        private static func email(_ name: [UInt8], _ base: [UInt8]) -> Bool {
            let host = Self.lowercased(name.suffix(from: (name.lastIndex(of: Self.at) ?? -1) + 1))
            guard let at = base.lastIndex(of: Self.at) else {
                let base = Self.lowercased(base)
                return base.first == Self.dot ? host.ends(with: base) : host == base
            }
            return Self.lowercased(base[(at + 1)...]) == host && name.starts(with: base[...at])
        }

        /// The host of a URI; one without a host name cannot be judged.
        private static func uri(_ name: [UInt8], _ base: [UInt8]) throws(Unsupported) -> Bool {
            let text = String(decoding: Self.lowercased(name), as: UTF8.self)
            guard let start = text.firstRange(of: "://")?.upperBound else { throw .syntax }
            let authority = text[start...].prefix { !"/?#".contains($0) }
            let host = authority.suffix(from: authority.lastIndex(of: "@").map(authority.index(after:)) ?? authority.startIndex)
                .prefix { $0 != ":" }
            guard !host.isEmpty, !host.hasPrefix("["), IPAddressBytes(literal: String(host)) == nil else { throw .syntax }
            let base = Self.lowercased(base)
            return base.first == Self.dot ? Array(host.utf8).ends(with: base) : Array(host.utf8) == base
        }

        /// An address within a network: the base is its address and its mask.
        private static func address(_ name: [UInt8], _ base: [UInt8]) throws(Unsupported) -> Bool {
            guard [4, 16].contains(name.count), [8, 32].contains(base.count) else { throw .syntax }
            let (network, mask) = (base.prefix(base.count / 2), base.suffix(base.count / 2))
            guard Self.isContiguous(mask) else { throw .syntax }
            guard name.count == network.count else { return false }
            return zip(zip(name, network), mask).allSatisfy { ($0.0 ^ $0.1) & $1 == 0 }
        }

        private static func isContiguous(_ mask: ArraySlice<UInt8>) -> Bool {
            let rest = mask.drop { $0 == 0xff }
            guard let partial = rest.first else { return true }
            return (~partial & (~partial &+ 1)) == 0 && rest.dropFirst().allSatisfy { $0 == 0 }
        }
    }
}

extension Array where Element == UInt8 {
    fileprivate func ends(with suffix: some Collection<UInt8>) -> Bool {
        self.count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix)
    }
}

/// The content of a certificate's extension; nil if it has none of this kind.
func extensionContent(_ nid: Int32, of certificate: OpaquePointer) -> [UInt8]? {
    let index = X509_get_ext_by_NID(certificate, nid, -1)
    guard index >= 0, let data = X509_get_ext(certificate, index).flatMap({ X509_EXTENSION_get_data($0) }),
        let start = ASN1_STRING_get0_data(data)
    else { return nil }
    return Array(UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(data))))
}
