import SecureSockets

/// The options for a server's clients: whether they need a certificate, and which are admitted.
struct ClientOptions: ArgumentGroup {
    var clientCA: String?
    var requireClientCertificate = false
    var revocation = RevocationOptions()
    var allowedNames: [String] = []
    var allowedIDs: [SPIFFEPattern] = []
    var endRefused = false

    static let arguments: ArgumentTable<ClientOptions> = [
        .option(
            "--client-ca", \.clientCA, .text("file"),
            "Request certificates from clients, and accept those of the authorities in this PEM file."),
        .flag(
            "--require-client-certificate", \.requireClientCertificate,
            "Refuse clients that send no certificate. Needs --client-ca."),
        .group(\.revocation),
        .repeated(
            "--allow-name", \.allowedNames, .text("name"),
            "Admit only clients whose certificate has this DNS name, or another that is permitted. Repeat it for more. Needs --client-ca, and a certificate of every client."
        ),
        .repeated(
            "--allow-spiffe", \.allowedIDs, .spiffe,
            """
            Admit only clients with this SPIFFE ID, or a name or another ID that is permitted. A trust domain alone permits all of its \
            IDs, and a path that ends in /* those below it. Repeat it for more. Needs --client-ca, and a \
            certificate of every client.
            """
        ),
        .flag(
            "--end-refused", \.endRefused,
            "End open connections whose client certificate has expired, or is refused after SIGHUP. They have the time of --grace."
        ),
    ]

    func validate() throws(UsageError) {
        guard self.clientCA == nil else { return }
        let given = [
            ("--require-client-certificate", self.requireClientCertificate), ("--crl", self.revocation.crl != nil),
            ("--allow-name", !self.allowedNames.isEmpty), ("--allow-spiffe", !self.allowedIDs.isEmpty),
            ("--end-refused", self.endRefused),
        ].first { $0.1 }
        if let given { throw UsageError("\(given.0) needs --client-ca FILE, which names the accepted authorities.") }
    }

    /// Loads the trust; nil if clients are not asked for certificates.
    func trust(_ leniency: LeniencyOptions) throws(SecureSocketError) -> TLSTrust? {
        guard let clientCA else { return nil }
        return try self.revocation.applied(to: leniency.applied(to: try .only(.file(clientCA))))
    }

    func authentication(_ trust: TLSTrust?) -> TLSServerConfiguration.ClientAuthentication {
        guard let trust else { return .none }
        // Without a certificate, a client cannot have a permitted name.
        let isRequired = self.requireClientCertificate || self.rule != nil
        return isRequired ? .required(trust: trust, allow: self.rule) : .optional(trust: trust)
    }

    /// Admits clients with one of the names or IDs; nil if none is given.
    private var rule: PeerRule? {
        var rules = self.allowedIDs.map { PeerRule.spiffe(trustDomain: $0.trustDomain, paths: $0.path.isEmpty ? [] : [$0.path]) }
        if !self.allowedNames.isEmpty { rules.append(.dnsName(in: Set(self.allowedNames))) }
        guard let first = rules.first else { return nil }
        return rules.dropFirst().reduce(first) { .any($0, $1) }
    }
}

/// A SPIFFE ID, or the IDs of a trust domain or below a path.
struct SPIFFEPattern: Sendable {
    let trustDomain: String
    /// Begins with a slash, or is empty.
    let path: String
}

extension ValueFormat<SPIFFEPattern> {
    static var spiffe: Self {
        Self(
            placeholder: "id",
            parse: { text throws(UsageError) in
                let scheme = "spiffe://"
                let rest = text.dropFirst(scheme.count)
                let domain = rest.prefix { $0 != "/" }
                let path = rest.dropFirst(domain.count)
                let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
                let isWildcard = segments.last == "*"
                let named = isWildcard ? segments.dropLast() : segments
                guard text.hasPrefix(scheme), domain.isSPIFFESegment, named.allSatisfy(\.isSPIFFESegment) else {
                    throw UsageError(
                        "\(text.quotedArgument) is no SPIFFE ID; give one such as spiffe://example.org/api or spiffe://example.org/api/*"
                    )
                }
                return SPIFFEPattern(trustDomain: String(domain), path: String(path))
            })
    }
}

extension Substring {
    /// Whether this is a trust domain or a segment of a path (SPIFFE-ID §2).
    fileprivate var isSPIFFESegment: Bool {
        !self.isEmpty && self != "." && self != ".."
            && self.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_")].contains(byte)
            }
    }
}
