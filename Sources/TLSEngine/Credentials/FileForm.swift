/// What a file holds in place of the PEM text that is expected, as far as its content tells.
package enum FileForm: Sendable, Hashable {
    // MARK: DER, the binary form
    case certificate
    case certificateRequest
    case revocationList
    case publicKey
    case privateKey(KeyForm)
    case encryptedPrivateKey
    /// A PKCS#12 archive (`.p12`, `.pfx`). OpenSSL 3 reads the ciphers of old programs, such as RC2, only when it is asked to.
    case pkcs12(hasLegacyCiphers: Bool)
    /// Certificates in a PKCS#7 structure (`.p7b`).
    case pkcs7
    case otherDER

    // MARK: Other containers
    /// Java's own key store, JKS or JCEKS. Since Java 9 most key stores are PKCS#12.
    case javaKeyStore
    case sshPublicKey
    case puttyKey
    case archive
    case html

    // MARK: PEM that was changed on its way
    case utf16(Encoding)
    /// Line breaks are written as the two characters backslash and `n`.
    case escapedLineBreaks
    /// The text is in quotation marks.
    case quoted
    /// Base64 of a PEM text, which is base64 itself, as in a secret of Kubernetes.
    case base64OfPEM
    /// The base64 of a block without its BEGIN and END lines.
    case base64WithoutBoundaries

    /// How a private key is encoded, and the label that its PEM block has.
    package enum KeyForm: String, Sendable, Hashable {
        case pkcs8 = "PRIVATE KEY"
        case pkcs1 = "RSA PRIVATE KEY"
        case sec1 = "EC PRIVATE KEY"
        case dsa = "DSA PRIVATE KEY"
    }

    /// A name that `iconv` knows.
    package enum Encoding: String, Sendable, Hashable {
        /// With a byte order mark.
        case marked = "UTF-16"
        case littleEndian = "UTF-16LE"
        case bigEndian = "UTF-16BE"
    }
}

extension FileForm {
    /// Recognizes the content of a whole file; nil if nothing is known about it.
    static func recognized(in bytes: [UInt8]) -> FileForm? {
        if let encoding = Encoding(of: bytes) { return .utf16(encoding) }
        return .magic(bytes) ?? .der(bytes[...]) ?? .text(bytes)
    }

    private static func magic(_ bytes: [UInt8]) -> FileForm? {
        switch bytes.prefix(4) {
        case [0xfe, 0xed, 0xfe, 0xed], [0xce, 0xce, 0xce, 0xce]: .javaKeyStore
        case [0x50, 0x4b, 0x03, 0x04]: .archive
        default: bytes.starts(with: [0x1f, 0x8b]) ? .archive : nil
        }
    }

    /// Recognizes text; only its beginning is looked at where that is enough.
    private static func text(_ bytes: [UInt8]) -> FileForm? {
        let text = bytes.trimmed
        let quotationMarks: [UInt8] = [UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`")]
        let unquoted = text.first.map(quotationMarks.contains) == true ? text.dropFirst() : text
        if unquoted.starts(with: "-----BEGIN ".utf8) {
            if unquoted.firstRange(of: #"-----\n"#.utf8) != nil || unquoted.firstRange(of: #"-----\r"#.utf8) != nil {
                return .escapedLineBreaks
            }
            return unquoted.count < text.count ? .quoted : nil
        }
        if text.starts(with: "ssh-".utf8) || text.starts(with: "ecdsa-sha2-".utf8) { return .sshPublicKey }
        if text.starts(with: "PuTTY-User-Key-File-".utf8) { return .puttyKey }
        let beginning = String(decoding: text.prefix(14), as: UTF8.self).lowercased()
        if beginning.hasPrefix("<html") || beginning.hasPrefix("<!doctype html") { return .html }
        // "-----BEGIN", and a SEQUENCE with two bytes of length.
        if text.starts(with: "LS0tLS1CRUdJTi".utf8) { return .base64OfPEM }
        if text.starts(with: "MI".utf8), text.count > 64, text.allSatisfy(\.isBase64OrSpace) { return .base64WithoutBoundaries }
        return nil
    }
}

// MARK: DER

extension FileForm {
    private enum Known {
        /// 1.2.840.113549.1.7: PKCS#7.
        static let pkcs7: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07]
        static let signedData = pkcs7 + [0x02]
        /// 1.2.840.113549.1.12.1: the encryption of PKCS#12 before PBES2. The third is of Triple DES, which OpenSSL 3 has by default.
        static let pkcs12Encryption: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01]
        static let legacyEncryption = [1, 2, 5, 6].map { pkcs12Encryption + [$0] }
    }

    /// Recognizes the content of a file, or of a PEM block, in DER.
    static func der(_ bytes: ArraySlice<UInt8>) -> FileForm? {
        // The digit 0 is a SEQUENCE's tag, too: text is told apart by the length, which takes more than one byte in nearly all of these.
        guard bytes.count > 2, bytes.first == DERReader.Tag.sequence else { return nil }
        let length = bytes[bytes.startIndex + 1]
        guard length & 0x80 != 0 || Int(length) == bytes.count - 2 else { return nil }
        var file = DERReader(bytes)
        guard let content = file.sequence() else { return nil }
        return self.contentInfo(content) ?? self.versioned(content, of: bytes) ?? self.structured(content) ?? .otherDER
    }

    /// A ContentInfo (RFC 2315 §7): a type and what is of that type.
    private static func contentInfo(_ content: DERReader) -> FileForm? {
        var content = content
        return content.objectIdentifier()?.content == Known.signedData ? .pkcs7 : nil
    }

    /// What begins with a version number.
    private static func versioned(_ content: DERReader, of file: ArraySlice<UInt8>) -> FileForm? {
        var content = content
        guard let version = content.next(DERReader.Tag.integer) else { return nil }
        switch content.rest.first {
        case DERReader.Tag.sequence:
            var inner = content.sequence()
            guard let type = inner?.objectIdentifier() else { return nil }
            if type.content.starts(with: Known.pkcs7) {
                let isLegacy = Known.legacyEncryption.contains { file.firstRange(of: $0) != nil }
                return .pkcs12(hasLegacyCiphers: isLegacy)
            }
            return content.rest.first == DERReader.Tag.octetString ? .privateKey(.pkcs8) : nil
        case DERReader.Tag.octetString:
            return version.elementsEqual([1]) ? .privateKey(.sec1) : nil
        case DERReader.Tag.integer:
            // Two numbers are an RSA public key (RFC 8017 §A.1.1), six a DSA key, nine an RSA key.
            var count = 1
            while content.next(DERReader.Tag.integer) != nil { count += 1 }
            return count == 2 ? .publicKey : .privateKey(count == 6 ? .dsa : .pkcs1)
        default: return nil
        }
    }

    /// What begins with a structure: an algorithm, or what is signed.
    private static func structured(_ content: DERReader) -> FileForm? {
        var content = content
        guard var signed = content.sequence() else { return nil }
        if signed.rest.first == DERReader.Tag.objectIdentifier {
            switch content.rest.first {
            case DERReader.Tag.octetString: return .encryptedPrivateKey
            case DERReader.Tag.bitString: return .publicKey
            default: return nil
            }
        }
        // RFC 5280 §4.1: only a certificate has an explicit version.
        if signed.rest.first == DERReader.Tag.context0 { return .certificate }
        let hasNumber = signed.next(DERReader.Tag.integer) != nil
        guard let name = signed.sequence() else { return nil }
        // The subject of a request, where the others have the algorithm of their signature (RFC 2986 §4.1).
        guard name.rest.first == DERReader.Tag.objectIdentifier else { return hasNumber ? .certificateRequest : nil }
        // Then the issuer, and either a validity or, in a list, a date (RFC 5280 §5.1).
        guard signed.sequence() != nil else { return nil }
        if signed.rest.first == DERReader.Tag.sequence { return hasNumber ? .certificate : nil }
        return .revocationList
    }
}

// MARK: Text

extension FileForm.Encoding {
    /// By its byte order mark, or because every other byte of the beginning is zero.
    init?(of bytes: [UInt8]) {
        let beginning = bytes.prefix(16)
        let even = stride(from: 0, to: beginning.count - 1, by: 2)
        if beginning.starts(with: [0xff, 0xfe]) || beginning.starts(with: [0xfe, 0xff]) {
            self = .marked
        } else if beginning.count >= 8, even.allSatisfy({ beginning[$0] != 0 && beginning[$0 + 1] == 0 }) {
            self = .littleEndian
        } else if beginning.count >= 8, even.allSatisfy({ beginning[$0] == 0 && beginning[$0 + 1] != 0 }) {
            self = .bigEndian
        } else {
            return nil
        }
    }
}

extension UInt8 {
    var isBlank: Bool { self == 0x20 || (0x09...0x0d).contains(self) }

    var isBase64: Bool {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="):
            true
        default: false
        }
    }

    fileprivate var isBase64OrSpace: Bool { self.isBase64 || self.isBlank }
}

extension RandomAccessCollection<UInt8> where SubSequence == ArraySlice<UInt8> {
    /// Without blanks at both ends, and without a byte order mark of UTF-8 at the beginning.
    var trimmed: ArraySlice<UInt8> {
        var text = self[...]
        let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
        while let first = text.first {
            if first.isBlank {
                text = text.dropFirst()
            } else if first == byteOrderMark[0], text.starts(with: byteOrderMark) {
                text = text.dropFirst(byteOrderMark.count)
            } else {
                break
            }
        }
        while text.last?.isBlank == true { text = text.dropLast() }
        return text
    }
}
