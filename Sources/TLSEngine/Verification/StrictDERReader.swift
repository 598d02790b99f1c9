internal import CNIOBoringSSL

/// A cursor over the elements of an OCSP response in DER (X.690), which BoringSSL does not decode.
///
/// Unlike `DERReader`, it accepts nothing but DER: every length is the shortest form, and every element is complete.
struct StrictDERReader {
    enum Tag {
        static let boolean: UInt8 = 0x01
        static let integer: UInt8 = 0x02
        static let bitString: UInt8 = 0x03
        static let octetString: UInt8 = 0x04
        static let objectIdentifier: UInt8 = 0x06
        static let enumerated: UInt8 = 0x0a
        static let generalizedTime: UInt8 = 0x18
        static let sequence: UInt8 = 0x30

        /// `[number]`, primitive.
        static func primitive(_ number: UInt8) -> UInt8 { 0x80 | number }
        /// `[number]`, constructed.
        static func constructed(_ number: UInt8) -> UInt8 { 0xa0 | number }
    }

    struct Element {
        /// The first byte of the encoding. Tags of several bytes are not used in the structures that are read.
        let tag: UInt8
        let content: ArraySlice<UInt8>
        /// The whole element, with tag and length.
        let encoding: ArraySlice<UInt8>
    }

    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.rest = bytes }

    var isAtEnd: Bool { self.rest.isEmpty }

    /// Returns the next element.
    mutating func next() throws(OCSPResponseFault) -> Element {
        let (header, total) = self.rest.withUnsafeBufferPointer { bytes -> (Int, Int) in
            var input = CBS()
            var element = CBS()
            var header = 0
            CBS_init(&input, bytes.baseAddress, bytes.count)
            return CBS_get_any_asn1_element(&input, &element, nil, &header) == 1 ? (header, CBS_len(&element)) : (0, 0)
        }
        guard header > 0, let tag = self.rest.first else { throw .malformed }
        let encoding = self.rest.prefix(total)
        self.rest = self.rest.dropFirst(total)
        return Element(tag: tag, content: encoding.dropFirst(header), encoding: encoding)
    }

    /// Returns the next element, which must have this tag.
    mutating func next(_ tag: UInt8) throws(OCSPResponseFault) -> Element {
        guard self.rest.first == tag else { throw .malformed }
        return try self.next()
    }

    /// Returns the next element if it has this tag; nil without moving if it has not.
    mutating func optional(_ tag: UInt8) throws(OCSPResponseFault) -> Element? {
        guard self.rest.first == tag else { return nil }
        return try self.next()
    }

    /// Returns a cursor over the contents of the next element, which must have this tag.
    mutating func reader(_ tag: UInt8 = Tag.sequence) throws(OCSPResponseFault) -> StrictDERReader {
        StrictDERReader(try self.next(tag).content)
    }

    /// Returns the object identifier of the next element.
    mutating func objectIdentifier() throws(OCSPResponseFault) -> OID {
        OID(content: Array(try self.next(Tag.objectIdentifier).content))
    }

    /// Returns the time of the next element, a GeneralizedTime, in seconds since 1970-01-01 UTC.
    mutating func generalizedTime() throws(OCSPResponseFault) -> Int64 {
        let seconds = try self.next(Tag.generalizedTime).encoding.withUnsafeBufferPointer { bytes -> Int64? in
            var position = bytes.baseAddress
            guard let time = d2i_ASN1_GENERALIZEDTIME(nil, &position, bytes.count) else { return nil }
            defer { ASN1_GENERALIZEDTIME_free(time) }
            return posixTime(time)
        }
        guard let seconds else {
            ErrorQueue.clear()
            throw .malformed
        }
        return seconds
    }

    /// Checks that nothing follows.
    func end() throws(OCSPResponseFault) {
        guard self.isAtEnd else { throw .malformed }
    }
}
