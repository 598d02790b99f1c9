/// The contexts of a server with several identities, by the server name that a client requests (RFC 6066 §3).
///
/// An exact name takes precedence over a wildcard. A wildcard stands for one label, the first (RFC 9525 §6.3).
package struct ServerNames: Sendable {
    private var exact: [String: TLSContext] = [:]
    /// By the name without its first label.
    private var wildcards: [String: TLSContext] = [:]
    /// Whether the handshake of a client that requests another name fails with `unrecognized_name`. Otherwise such a client gets the
    /// default identity.
    package let refusesOthers: Bool

    package init(refusesOthers: Bool) { self.refusesOthers = refusesOthers }

    /// Adds a name such as `www.example.org` or `*.example.org`. Returns false if the name has a context already.
    package mutating func add(_ name: String, _ context: TLSContext) -> Bool {
        let name = Self.normalized(name)
        if name.hasPrefix("*.") {
            return self.wildcards.updateValue(context, forKey: String(name.dropFirst(2))) == nil
        }
        return self.exact.updateValue(context, forKey: name) == nil
    }

    /// The contexts in the order of their names.
    var contexts: [TLSContext] {
        (self.exact.sorted { $0.key < $1.key } + self.wildcards.sorted { $0.key < $1.key }).map(\.value)
    }

    /// - Parameter name: A normalized name.
    func context(for name: String) -> TLSContext? {
        if let context = self.exact[name] { return context }
        guard !self.wildcards.isEmpty, let dot = name.utf8.firstIndex(of: UInt8(ascii: ".")) else { return nil }
        return self.wildcards[String(name[name.utf8.index(after: dot)...])]
    }

    /// Returns the name in lower case and without the root's trailing dot.
    package static func normalized(_ name: String) -> String {
        var name = name.lowercased()
        if name.hasSuffix(".") { name.removeLast() }
        return name
    }
}
