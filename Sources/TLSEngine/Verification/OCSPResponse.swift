/// A basic OCSP response (RFC 6960 §4.2.1), decoded. Its signature is not verified yet.
struct OCSPResponse: Sendable {
    /// The greatest length of a response in bytes. Usual ones have up to 2 KiB.
    static let longest = 64 << 10
    /// The number of certificates whose statuses are read. A responder may answer for several at once; further ones are ignored.
    static let mostStatuses = 16
    /// The number of certificates of responders that are read. Further ones are ignored.
    static let mostCertificates = 4

    enum Responder: Sendable, Hashable {
        /// A distinguished name in DER.
        case name([UInt8])
        /// The SHA-1 digest of the public key.
        case keyHash([UInt8])
    }

    /// The hash function of an identifier of a certificate.
    enum Hash: Sendable, Hashable { case sha1, sha256 }

    /// The identifier of a certificate (`CertID`).
    struct CertificateID: Sendable, Hashable {
        /// nil if it is not supported; the identifier then identifies none.
        let hash: Hash?
        let issuerNameHash: [UInt8]
        let issuerKeyHash: [UInt8]
        /// The DER encoding of the serial number.
        let serialNumber: [UInt8]
    }

    enum Status: Sendable, Hashable {
        case good
        case revoked(Revocation)
        case unknown
    }

    /// The status of one certificate (`SingleResponse`). Times are in seconds since 1970-01-01 UTC.
    struct CertificateStatus: Sendable, Hashable {
        let certificate: CertificateID
        let status: Status
        let thisUpdate: Int64
        let nextUpdate: Int64?
    }

    /// The DER encoding of what is signed.
    let signedPart: [UInt8]
    /// The DER encoding of the signature's algorithm.
    let algorithm: [UInt8]
    let signature: [UInt8]
    /// Certificates in DER that the responder has added.
    let certificates: [[UInt8]]
    let responder: Responder
    let statuses: [CertificateStatus]

    private typealias Tag = StrictDERReader.Tag

    /// Decodes a response in DER.
    init(der bytes: [UInt8]) throws(OCSPResponseFault) {
        guard bytes.count <= Self.longest else { throw .tooLong(limit: Self.longest) }
        var basic = StrictDERReader(try Self.basicResponse(bytes))
        var response = try basic.reader()
        try basic.end()

        let signed = try response.next(Tag.sequence)
        self.signedPart = Array(signed.encoding)
        var data = StrictDERReader(signed.content)
        if var version = try data.optional(Tag.constructed(0)).map({ StrictDERReader($0.content) }) {
            // The only version is 1, which is encoded as 0, if at all.
            guard try version.next(Tag.integer).content == [0] else { throw .malformed }
            try version.end()
        }
        self.responder = try Self.responder(&data)
        _ = try data.generalizedTime()
        self.statuses = try Self.statuses(try data.reader())
        try Self.checkExtensions(&data)
        try data.end()

        self.algorithm = Array(try response.next(Tag.sequence).encoding)
        let signature = try response.next(Tag.bitString).content
        // The first byte is the number of unused bits.
        guard signature.first == 0 else { throw .malformed }
        self.signature = Array(signature.dropFirst())
        self.certificates = try Self.certificates(&response)
        try response.end()
    }

    /// 1.3.6.1.5.5.7.48.1.1: id-pkix-ocsp-basic.
    private static let basicType: [UInt8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01]

    /// Returns the encoding of the `BasicOCSPResponse` in an `OCSPResponse`.
    private static func basicResponse(_ bytes: [UInt8]) throws(OCSPResponseFault) -> ArraySlice<UInt8> {
        var file = StrictDERReader(bytes[...])
        var response = try file.reader()
        try file.end()
        let status = try response.next(Tag.enumerated).content
        guard let code = status.first, status.count == 1 else { throw .malformed }
        if code != 0 {
            if !response.isAtEnd { _ = try response.next(Tag.constructed(0)) }
            try response.end()
            throw .unsuccessful(status: Int(code))
        }
        var explicit = try response.reader(Tag.constructed(0))
        try response.end()
        var content = try explicit.reader()
        try explicit.end()
        let type = try content.objectIdentifier()
        guard type.content == Self.basicType else { throw .otherType(type) }
        let basic = try content.next(Tag.octetString).content
        try content.end()
        return basic
    }

    private static func responder(_ data: inout StrictDERReader) throws(OCSPResponseFault) -> Responder {
        let element = try data.next()
        var choice = StrictDERReader(element.content)
        let responder: Responder
        switch element.tag {
        case Tag.constructed(1): responder = .name(Array(try choice.next(Tag.sequence).encoding))
        case Tag.constructed(2): responder = .keyHash(Array(try choice.next(Tag.octetString).content))
        default: throw .malformed
        }
        try choice.end()
        return responder
    }

    private static func statuses(_ list: StrictDERReader) throws(OCSPResponseFault) -> [CertificateStatus] {
        var list = list
        var statuses: [CertificateStatus] = []
        while !list.isAtEnd, statuses.count < Self.mostStatuses { statuses.append(try Self.status(try list.reader())) }
        return statuses
    }

    private static func status(_ fields: StrictDERReader) throws(OCSPResponseFault) -> CertificateStatus {
        var fields = fields
        let certificate = try Self.certificateID(try fields.reader())
        let element = try fields.next()
        let status: Status
        switch element.tag {
        case Tag.primitive(0) where element.content.isEmpty: status = .good
        case Tag.primitive(2) where element.content.isEmpty: status = .unknown
        case Tag.constructed(1): status = .revoked(try Self.revocation(StrictDERReader(element.content)))
        default: throw .malformed
        }
        let thisUpdate = try fields.generalizedTime()
        var nextUpdate: Int64?
        if var explicit = try fields.optional(Tag.constructed(0)).map({ StrictDERReader($0.content) }) {
            nextUpdate = try explicit.generalizedTime()
            try explicit.end()
        }
        try Self.checkExtensions(&fields)
        try fields.end()
        return CertificateStatus(certificate: certificate, status: status, thisUpdate: thisUpdate, nextUpdate: nextUpdate)
    }

    private static func revocation(_ fields: StrictDERReader) throws(OCSPResponseFault) -> Revocation {
        var fields = fields
        let time = try fields.generalizedTime()
        var reason: Int?
        if var explicit = try fields.optional(Tag.constructed(0)).map({ StrictDERReader($0.content) }) {
            let code = try explicit.next(Tag.enumerated).content
            guard code.count == 1 else { throw .malformed }
            reason = code.first.map { Int($0) }
            try explicit.end()
        }
        try fields.end()
        return Revocation(time: time, reason: reason)
    }

    private static func certificateID(_ fields: StrictDERReader) throws(OCSPResponseFault) -> CertificateID {
        var fields = fields
        var algorithm = try fields.reader()
        let hash = try algorithm.objectIdentifier()
        // The parameters are NULL or absent, and mean nothing in either case.
        if !algorithm.isAtEnd { _ = try algorithm.next() }
        try algorithm.end()
        let nameHash = Array(try fields.next(Tag.octetString).content)
        let keyHash = Array(try fields.next(Tag.octetString).content)
        let serialNumber = Array(try fields.next(Tag.integer).encoding)
        try fields.end()
        return CertificateID(
            hash: Self.hashes[hash.content], issuerNameHash: nameHash, issuerKeyHash: keyHash, serialNumber: serialNumber)
    }

    /// 1.3.14.3.2.26 and 2.16.840.1.101.3.4.2.1.
    private static let hashes: [[UInt8]: Hash] = [
        [0x2b, 0x0e, 0x03, 0x02, 0x1a]: .sha1,
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]: .sha256,
    ]

    /// Reads optional extensions, of which none is used. A critical one is an error (RFC 6960 §4.4).
    private static func checkExtensions(_ fields: inout StrictDERReader) throws(OCSPResponseFault) {
        guard var explicit = try fields.optional(Tag.constructed(1)).map({ StrictDERReader($0.content) }) else { return }
        var list = try explicit.reader()
        try explicit.end()
        while !list.isAtEnd {
            var fields = try list.reader()
            let identifier = try fields.objectIdentifier()
            let critical = try fields.optional(Tag.boolean)
            _ = try fields.next(Tag.octetString)
            try fields.end()
            if let critical, critical.content != [0] { throw .criticalExtension(identifier) }
        }
    }

    private static func certificates(_ response: inout StrictDERReader) throws(OCSPResponseFault) -> [[UInt8]] {
        guard var explicit = try response.optional(Tag.constructed(0)).map({ StrictDERReader($0.content) }) else { return [] }
        var list = try explicit.reader()
        try explicit.end()
        var certificates: [[UInt8]] = []
        while !list.isAtEnd, certificates.count < Self.mostCertificates {
            certificates.append(Array(try list.next(Tag.sequence).encoding))
        }
        return certificates
    }
}
