/// A cursor over the elements of a DER encoding (X.690), for describing the content of a file.
///
/// For messages only: certificates and keys that are used are parsed by BoringSSL. The reader accepts an encoding that is cut off, and
/// the indefinite lengths of BER, which some programs write into PKCS#12 and PKCS#7 files.
struct DERReader {
    enum Tag {
        static let integer: UInt8 = 0x02
        static let bitString: UInt8 = 0x03
        static let octetString: UInt8 = 0x04
        static let objectIdentifier: UInt8 = 0x06
        static let sequence: UInt8 = 0x30
        /// `[0]`, constructed.
        static let context0: UInt8 = 0xa0
    }

    struct Element {
        let tag: UInt8
        /// The content, as far as it is present.
        let content: ArraySlice<UInt8>
        /// The number of missing content bytes.
        let missing: Int
    }

    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.rest = bytes }

    /// Returns the next element; nil at the end, or if there is no element with a tag and length of the usual size.
    mutating func next() -> Element? {
        var bytes = self.rest
        guard let tag = bytes.popFirst(), tag & 0x1f != 0x1f, let first = bytes.popFirst() else { return nil }
        var length = Int(first)
        if first == 0x80 {
            // Indefinite length. The end-of-contents octets are not searched for.
            guard tag & 0x20 != 0 else { return nil }
            length = bytes.count
        } else if first > 0x80 {
            // Four bytes of length are 4 GiB.
            guard first <= 0x84 else { return nil }
            length = 0
            for _ in 0..<(first & 0x7f) {
                guard let byte = bytes.popFirst() else { return nil }
                length = length << 8 | Int(byte)
            }
        }
        let content = bytes.prefix(length)
        self.rest = bytes[content.endIndex...]
        return Element(tag: tag, content: content, missing: length - content.count)
    }

    /// Returns the next element's content if it has this tag. Otherwise the cursor does not move.
    mutating func next(_ tag: UInt8) -> ArraySlice<UInt8>? {
        guard self.rest.first == tag else { return nil }
        return self.next()?.content
    }

    /// Returns a cursor over the contents of the next element if that is a SEQUENCE.
    mutating func sequence() -> DERReader? { self.next(Tag.sequence).map { DERReader($0) } }

    /// Returns the next element if it is an OBJECT IDENTIFIER.
    mutating func objectIdentifier() -> OID? { self.next(Tag.objectIdentifier).map { OID(content: Array($0)) } }

    /// Returns the next element if it is an INTEGER that fits.
    mutating func integer() -> Int? {
        guard let content = self.next(Tag.integer), (1...7).contains(content.count) else { return nil }
        return content.reduce(0) { $0 << 8 | Int($1) }
    }

    /// Encodes an element with this tag and content.
    static func encoding(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        guard content.count >= 0x80 else { return [tag, UInt8(content.count)] + content }
        let length = withUnsafeBytes(of: content.count.bigEndian) { $0.drop { $0 == 0 } }
        return [tag, 0x80 | UInt8(length.count)] + length + content
    }
}
