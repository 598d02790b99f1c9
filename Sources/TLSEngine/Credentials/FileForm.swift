/// The format of a file that is not the expected PEM text, recognized by its content.
package enum FileForm: Sendable, Hashable {
    // MARK: DER, the binary form
    case certificate
    case certificateRequest
    case revocationList
    case publicKey
    case privateKey(KeyForm)
    case encryptedPrivateKey
    /// A PKCS#12 archive (`.p12`, `.pfx`). OpenSSL 3 reads legacy ciphers, such as RC2, only with `-legacy`.
    case pkcs12(hasLegacyCiphers: Bool)
    /// Certificates in a PKCS#7 structure (`.p7b`).
    case pkcs7
    case otherDER

    // MARK: Other containers
    /// A Java keystore in JKS or JCEKS format. Since Java 9 the default format is PKCS#12.
    case javaKeyStore
    case sshPublicKey
    case puttyKey
    case archive
    case html

    // MARK: Altered PEM
    case utf16(Encoding)
    /// PEM whose line breaks are written as the two characters backslash and `n`.
    case escapedLineBreaks
    /// PEM in quotation marks.
    case quoted
    /// Base64-encoded PEM, as in Kubernetes secrets.
    case base64OfPEM
    /// The content of a PEM block without its BEGIN and END lines.
    case base64WithoutBoundaries

    /// The encoding of a private key, with the label of its PEM block.
    package enum KeyForm: String, Sendable, Hashable {
        case pkcs8 = "PRIVATE KEY"
        case pkcs1 = "RSA PRIVATE KEY"
        case sec1 = "EC PRIVATE KEY"
        case dsa = "DSA PRIVATE KEY"
    }

    /// A UTF-16 encoding, by its name in `iconv`.
    package enum Encoding: String, Sendable, Hashable {
        /// With a byte order mark.
        case marked = "UTF-16"
        case littleEndian = "UTF-16LE"
        case bigEndian = "UTF-16BE"
    }
}

extension FileForm {
    /// Recognizes the content of a file; nil if it is in no known format.
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

    /// Recognizes text formats.
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
        // These are base64 of "-----BEGIN" and of a SEQUENCE with a two-byte length.
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
        /// 1.2.840.113549.1.12.1: the encryption schemes of PKCS#12 before PBES2. Only Triple DES (3 and 4) is in OpenSSL 3's default provider.
        static let pkcs12Encryption: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01]
        static let legacyEncryption = [1, 2, 5, 6].map { pkcs12Encryption + [$0] }
    }

    /// Recognizes the content of a file, or of a PEM block, in DER.
    static func der(_ bytes: ArraySlice<UInt8>) -> FileForm? {
        // The tag of a SEQUENCE is also the digit 0. The length distinguishes DER from text: it takes more than one byte, or matches.
        guard bytes.count > 2, bytes.first == DERReader.Tag.sequence else { return nil }
        let length = bytes[bytes.startIndex + 1]
        guard length & 0x80 != 0 || Int(length) == bytes.count - 2 else { return nil }
        var file = DERReader(bytes)
        guard let content = file.sequence() else { return nil }
        return self.contentInfo(content) ?? self.versioned(content, of: bytes) ?? self.structured(content) ?? .otherDER
    }

    /// Recognizes a ContentInfo (RFC 2315 §7).
    private static func contentInfo(_ content: DERReader) -> FileForm? {
        var content = content
        return content.objectIdentifier()?.content == Known.signedData ? .pkcs7 : nil
    }

    /// Recognizes structures that begin with a version number.
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
            // An RSA public key has two numbers (RFC 8017 §A.1.1), a DSA private key six, an RSA private key nine.
            var count = 1
            while content.next(DERReader.Tag.integer) != nil { count += 1 }
            return count == 2 ? .publicKey : .privateKey(count == 6 ? .dsa : .pkcs1)
        default: return nil
        }
    }

    /// Recognizes structures that begin with an AlgorithmIdentifier or with the signed part of a signed structure.
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
        // RFC 5280 §4.1: only certificates have a tagged version.
        if signed.rest.first == DERReader.Tag.context0 { return .certificate }
        let hasNumber = signed.next(DERReader.Tag.integer) != nil
        guard let name = signed.sequence() else { return nil }
        // A request has its subject in the place of the signature algorithm (RFC 2986 §4.1).
        guard name.rest.first == DERReader.Tag.objectIdentifier else { return hasNumber ? .certificateRequest : nil }
        // The issuer follows, then the validity of a certificate or the date of a revocation list (RFC 5280 §5.1).
        guard signed.sequence() != nil else { return nil }
        if signed.rest.first == DERReader.Tag.sequence { return hasNumber ? .certificate : nil }
        return .revocationList
    }
}

// MARK: Text

extension FileForm.Encoding {
    /// Detects a byte order mark, or ASCII characters with a zero byte before or after each.
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
    /// The text without blanks at both ends and without a leading UTF-8 byte order mark.
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
