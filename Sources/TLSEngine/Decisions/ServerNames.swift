/// The contexts of a server with several identities, by the server name that a client requests (RFC 6066 §3).
///
/// An exact name takes precedence over a wildcard. A wildcard stands for one label, the first (RFC 9525 §6.3).
package struct ServerNames: Sendable {
    private var exact: [String: TLSContext] = [:]
    /// By the name without its first label.
    private var wildcards: [String: TLSContext] = [:]
    /// The contexts in the order in which they were added, each once.
    private(set) var contexts: [TLSContext] = []
    /// What sessions of these contexts are bound to. A client can have it looked up with each hello, so that it must not be searched for.
    private(set) var digests: Set<[UInt8]> = []
    /// Whether the handshake of a client that requests another name fails with `unrecognized_name`. Otherwise such a client gets the
    /// default identity.
    package let refusesOthers: Bool

    package init(refusesOthers: Bool) { self.refusesOthers = refusesOthers }

    /// Adds a name such as `www.example.org` or `*.example.org`. Returns false if the name has a context already, or is not of ASCII.
    package mutating func add(_ name: String, _ context: TLSContext) -> Bool {
        let name = Self.normalized(name)
        guard name.isASCII else { return false }
        if self.contexts.last !== context {
            self.contexts.append(context)
            self.digests.insert(context.digest)
        }
        if name.hasPrefix("*.") {
            return self.wildcards.updateValue(context, forKey: String(name.dropFirst(2))) == nil
        }
        return self.exact.updateValue(context, forKey: name) == nil
    }

    /// - Parameter name: A normalized name.
    func context(for name: String) -> TLSContext? {
        // Swift compares strings by canonical equivalence, by which U+212A, the sign of the unit kelvin, is the letter K.
        guard name.isASCII else { return nil }
        if let context = self.exact[name] { return context }
        guard !self.wildcards.isEmpty, let dot = name.utf8.firstIndex(of: UInt8(ascii: ".")) else { return nil }
        return self.wildcards[String(name[name.utf8.index(after: dot)...])]
    }

    /// Returns the name with ASCII's letters in lower case and without the root's trailing dot.
    package static func normalized(_ name: String) -> String {
        var name = name.lowercasedASCII
        if name.hasSuffix(".") { name.removeLast() }
        return name
    }
}

extension String {
    /// Whether all characters are of ASCII, so that two such strings are equal only if their bytes are.
    package var isASCII: Bool { self.utf8.allSatisfy { $0 < 0x80 } }

    /// The text with ASCII's letters in lower case, as names of the DNS are compared (RFC 4343). Other characters are unchanged.
    package var lowercasedASCII: String {
        String(
            decoding: self.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
