internal import CNIOBoringSSL

/// The scope of a revocation list, from its issuing distribution point (RFC 5280 §5.2.5).
///
/// BoringSSL has decoded the same extension strictly.
struct RevocationListScope {
    /// The kind of certificates that a list covers.
    enum Certificates { case all, endEntities, authorities }

    /// The reason why a list with this extension is not supported.
    enum Fault: Error { case indirect, someReasons, attributeCertificates, relativeName, malformed }

    private(set) var certificates = Certificates.all
    /// The encoded names of the distribution point; nil if the list is for all distribution points of its issuer.
    private(set) var names: Set<[UInt8]>?

    /// Creates the scope of a list without the extension: all certificates of its issuer.
    init() {}

    init(issuingDistributionPoint content: [UInt8]) throws(Fault) {
        var reader = DERReader(content[...])
        guard var fields = reader.sequence() else { throw .malformed }
        if let point = fields.next(0xa0) { self.names = try Self.fullNames(point) }
        let isOnlyEndEntities = fields.flag(0x81)
        let isOnlyAuthorities = fields.flag(0x82)
        if fields.next(0x83) != nil { throw .someReasons }
        if fields.flag(0x84) { throw .indirect }
        if fields.flag(0x85) { throw .attributeCertificates }
        // At most one of the kinds may be selected.
        guard fields.rest.isEmpty, !(isOnlyEndEntities && isOnlyAuthorities) else { throw .malformed }
        if isOnlyEndEntities { self.certificates = .endEntities }
        if isOnlyAuthorities { self.certificates = .authorities }
    }

    private static func fullNames(_ point: ArraySlice<UInt8>) throws(Fault) -> Set<[UInt8]> {
        var reader = DERReader(point)
        guard let content = reader.next(0xa0) else { throw .relativeName }
        let names = encodedElements(of: content)
        guard !names.isEmpty else { throw .malformed }
        return names
    }

    /// Whether a list with this scope covers a certificate of its issuer (RFC 5280 §6.3.3 (b)).
    func includes(_ certificate: OpaquePointer) -> Bool {
        let isAuthority = X509_get_extension_flags(certificate) & UInt32(EXFLAG_CA) != 0
        switch self.certificates {
        case .all: break
        case .endEntities: if isAuthority { return false }
        case .authorities: if !isAuthority { return false }
        }
        guard let names else { return true }
        return !names.isDisjoint(with: distributionPointNames(of: certificate))
    }
}

/// Returns the encoded names of a certificate's distribution points (RFC 5280 §4.2.1.13), without those that are limited to some reasons or
/// belong to another issuer of lists.
private func distributionPointNames(of certificate: OpaquePointer) -> Set<[UInt8]> {
    guard let content = extensionContent(NID_crl_distribution_points, of: certificate) else { return [] }
    var reader = DERReader(content[...])
    guard var points = reader.sequence() else { return [] }
    var names: Set<[UInt8]> = []
    while var point = points.sequence() {
        guard let name = point.next(0xa0), point.rest.isEmpty else { continue }
        var fullName = DERReader(name)
        if let content = fullName.next(0xa0) { names.formUnion(encodedElements(of: content)) }
    }
    return names
}

private func encodedElements(of content: ArraySlice<UInt8>) -> Set<[UInt8]> {
    var elements: Set<[UInt8]> = []
    var reader = DERReader(content)
    while let element = reader.next(), element.missing == 0 {
        elements.insert(DERReader.encoding(element.tag, Array(element.content)))
    }
    return elements
}

extension DERReader {
    /// Returns whether the next element is a Boolean with this tag that is true. Skips it in any case.
    fileprivate mutating func flag(_ tag: UInt8) -> Bool { self.next(tag).map { $0.contains { $0 != 0 } } ?? false }
}
