internal import CNIOBoringSSL

/// The names for which an authority may issue certificates (RFC 5280 §4.2.1.10). Checked here for chains in which BoringSSL meets a kind of
/// name that it does not support: addresses.
///
/// BoringSSL has decoded the same extensions strictly. What is not understood here is refused. The peer chooses the number of names, and
/// each is compared with each constraint of its kind. Reading and comparing spend a budget; once it is exhausted, nothing more is compared.
struct NameConstraints {
    private struct Subtree {
        let base: ConstrainedName
        /// Minimum and maximum are not used in certificates (RFC 5280 §4.2.1.10).
        let hasBounds: Bool
    }

    /// Subtrees by the tag of their kind.
    private let permitted: [UInt8: [Subtree]]
    private let excluded: [UInt8: [Subtree]]
    private let budget: VerificationBudget

    /// Parses the constraints of an authority's certificate; nil if it has none.
    init?(of authority: OpaquePointer, budget: VerificationBudget) {
        guard let bytes = extensionContent(NID_name_constraints, of: authority) else { return nil }
        var reader = DERReader(bytes[...])
        guard var fields = reader.sequence() else { return nil }
        self.permitted = Self.subtrees(fields.next(0xa0), budget)
        self.excluded = Self.subtrees(fields.next(0xa1), budget)
        self.budget = budget
    }

    private static func subtrees(_ content: ArraySlice<UInt8>?, _ budget: VerificationBudget) -> [UInt8: [Subtree]] {
        guard let content else { return [:] }
        var list = DERReader(content)
        var subtrees: [UInt8: [Subtree]] = [:]
        while budget.spendNames(1), var subtree = list.sequence() {
            guard let base = subtree.next() else { continue }
            let name = ConstrainedName(constraint: base.tag, content: base.content)
            subtrees[base.tag, default: []].append(Subtree(base: name, hasBounds: !subtree.rest.isEmpty))
        }
        return subtrees
    }

    /// Returns the reason to refuse a certificate below the authority, as one of BoringSSL's codes; nil if all of its alternative names are
    /// allowed or the budget is exhausted.
    func refusal(of names: AlternativeNames) -> Int32? {
        guard names.isReadable else { return CertificateRefusal.invalidExtension }
        for name in names.names {
            do throws(Unsupported) {
                if let permitted = self.permitted[name.tag], try !self.matches(name, permitted, isExcluding: false) {
                    return self.budget.isExhausted ? nil : CertificateRefusal.notPermitted
                }
                if let excluded = self.excluded[name.tag], try self.matches(name, excluded, isExcluding: true) {
                    return CertificateRefusal.excluded
                }
            } catch {
                return error.code
            }
        }
        return nil
    }

    private func matches(_ name: ConstrainedName, _ subtrees: [Subtree], isExcluding: Bool) throws(Unsupported) -> Bool {
        guard self.budget.spendNames(subtrees.count) else { return false }
        for subtree in subtrees {
            if subtree.hasBounds { throw .syntax }
            if try name.matches(subtree.base, isExcluding: isExcluding) { return true }
        }
        return false
    }
}

/// A certificate's alternative names (RFC 5280 §4.2.1.6), as far as the budget allows.
struct AlternativeNames {
    fileprivate private(set) var names: [ConstrainedName] = []
    fileprivate private(set) var isReadable = true

    init(of certificate: OpaquePointer, budget: VerificationBudget) {
        guard let bytes = extensionContent(NID_subject_alt_name, of: certificate) else { return }
        var reader = DERReader(bytes[...])
        guard var list = reader.sequence() else {
            self.isReadable = false
            return
        }
        while budget.spendNames(1), let name = list.next() {
            self.names.append(ConstrainedName(name: name.tag, content: name.content))
        }
    }
}

private struct Unsupported: Error {
    let code: Int32

    static let kind = Unsupported(code: CertificateRefusal.unsupportedConstraint)
    static let syntax = Unsupported(code: CertificateRefusal.unsupportedConstraintSyntax)
}

/// A name or a constraint, normalized once for comparison.
private struct ConstrainedName {
    private enum Kind {
        static let email: UInt8 = 0x81
        static let domain: UInt8 = 0x82
        static let uri: UInt8 = 0x86
        static let address: UInt8 = 0x87
    }

    let tag: UInt8
    /// In lowercase, a domain, or the host of a mailbox or a URI; an address; or a network and its mask.
    private let content: [UInt8]
    /// The part of a mailbox before its host.
    private var mailbox: ArraySlice<UInt8>?
    /// Whether the name cannot be judged.
    private var isMalformed = false

    init(name tag: UInt8, content: ArraySlice<UInt8>) {
        self.tag = tag
        switch tag {
        case Kind.email: (self.mailbox, self.content) = Self.mailboxAndHost(content)
        case Kind.domain: self.content = Self.lowercased(content)
        case Kind.uri:
            let host = Self.host(ofURI: content)
            self.content = host ?? []
            self.isMalformed = host == nil
        default:
            self.content = Array(content)
            self.isMalformed = tag == Kind.address && ![4, 16].contains(content.count)
        }
    }

    init(constraint tag: UInt8, content: ArraySlice<UInt8>) {
        self.tag = tag
        switch tag {
        case Kind.email: (self.mailbox, self.content) = Self.mailboxAndHost(content)
        case Kind.domain, Kind.uri: self.content = Self.lowercased(content)
        default:
            self.content = Array(content)
            guard tag == Kind.address else { break }
            self.isMalformed = ![8, 32].contains(content.count) || !Self.isContiguous(content.suffix(content.count / 2))
        }
    }

    func matches(_ constraint: ConstrainedName, isExcluding: Bool) throws(Unsupported) -> Bool {
        if self.isMalformed || constraint.isMalformed { throw .syntax }
        switch self.tag {
        case Kind.email: return self.isMailbox(of: constraint)
        case Kind.domain: return self.isDomain(within: constraint.content, isExcluding: isExcluding)
        case Kind.uri: return self.isHost(of: constraint.content)
        case Kind.address: return self.isAddress(within: constraint.content)
        default: throw .kind
        }
    }

    private static let dot = UInt8(ascii: ".")

    /// Whether the name is the base or below it. A base with a leading dot contains only names below it.
    private func isDomain(within base: [UInt8], isExcluding: Bool) -> Bool {
        let name = self.content
        if base.isEmpty { return true }
        if base.first == Self.dot { return name.ends(with: base) }
        if name.ends(with: base), name.count == base.count || name[name.count - base.count - 1] == Self.dot { return true }
        // A wildcard also matches the excluded name.
        guard isExcluding, name.starts(with: [UInt8(ascii: "*"), Self.dot]) else { return false }
        return base.ends(with: name.dropFirst())
    }

    /// Whether the mailbox is the constraint's, or on its host, or in its domain.
    private func isMailbox(of constraint: ConstrainedName) -> Bool {
        guard let mailbox = constraint.mailbox else { return self.isHost(of: constraint.content) }
        return self.content == constraint.content && self.mailbox == mailbox
    }

    private func isHost(of base: [UInt8]) -> Bool {
        base.first == Self.dot ? self.content.ends(with: base) : self.content == base
    }

    /// Whether the address is in the network whose address and mask are the base.
    private func isAddress(within base: [UInt8]) -> Bool {
        let length = base.count / 2
        guard self.content.count == length else { return false }
        return (0..<length).allSatisfy { (self.content[$0] ^ base[$0]) & base[length + $0] == 0 }
    }

    // MARK: Parsing

    private static func lowercased(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        bytes.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    }

    private static func mailboxAndHost(_ content: ArraySlice<UInt8>) -> (ArraySlice<UInt8>?, [UInt8]) {
        guard let at = content.lastIndex(of: UInt8(ascii: "@")) else { return (nil, Self.lowercased(content)) }
        return (content[..<at], Self.lowercased(content[(at + 1)...]))
    }

    /// Returns nil for a URI without a host name, which cannot be judged.
    private static func host(ofURI content: ArraySlice<UInt8>) -> [UInt8]? {
        let text = String(decoding: Self.lowercased(content), as: UTF8.self)
        guard let start = text.firstRange(of: "://")?.upperBound else { return nil }
        let authority = text[start...].prefix { !"/?#".contains($0) }
        let host = authority.suffix(from: authority.lastIndex(of: "@").map(authority.index(after:)) ?? authority.startIndex)
            .prefix { $0 != ":" }
        guard !host.isEmpty, !host.hasPrefix("["), IPAddressBytes(literal: String(host)) == nil else { return nil }
        return Array(host.utf8)
    }

    private static func isContiguous(_ mask: ArraySlice<UInt8>) -> Bool {
        let rest = mask.drop { $0 == 0xff }
        guard let partial = rest.first else { return true }
        return (~partial & (~partial &+ 1)) == 0 && rest.dropFirst().allSatisfy { $0 == 0 }
    }
}

extension Array where Element == UInt8 {
    fileprivate func ends(with suffix: some BidirectionalCollection<UInt8>) -> Bool {
        self.last == suffix.last && self.count >= suffix.count && self.suffix(suffix.count).elementsEqual(suffix)
    }
}

/// Returns the content of a certificate's extension; nil if it has none of this kind.
func extensionContent(_ nid: Int32, of certificate: OpaquePointer) -> [UInt8]? {
    let index = X509_get_ext_by_NID(certificate, nid, -1)
    guard index >= 0, let data = X509_get_ext(certificate, index).flatMap({ X509_EXTENSION_get_data($0) }),
        let start = ASN1_STRING_get0_data(data)
    else { return nil }
    return Array(UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(data))))
}
