internal import CNIOBoringSSL

/// One X.509 certificate: its encoding, and the fields that errors and log messages quote.
package struct DecodedCertificate: Sendable, Hashable {
    /// The certificate's DER encoding (RFC 5280).
    package let derBytes: [UInt8]
    /// The subject's distinguished name (RFC 2253), for example `CN=localhost`. May be empty.
    package let subject: String
    package let issuer: String
    /// The bytes of the serial number, the most significant first.
    package let serialNumber: [UInt8]
    package let publicKey: PublicKey
    /// Empty if there are more than `mostAlternativeNames`: a rule must not see some of them only.
    package let alternativeNames: [AlternativeName]
    /// Whether it is the certificate of an authority, or its key usage permits to sign certificates or revocation lists.
    package let isForSigning: Bool
    /// The validity in seconds since 1970-01-01 UTC; nil if the certificate's date cannot be parsed.
    package let notBefore: Int64?
    package let notAfter: Int64?

    /// The most alternative names of a certificate that are decoded. A name of two bytes becomes a value of 24.
    package static let mostAlternativeNames = 4096

    /// One of the subject's alternative names (RFC 5280 §4.2.1.6).
    package struct AlternativeName: Sendable, Hashable {
        package enum Kind: String, Sendable, Hashable { case dns, ipAddress, email, uri }

        package let kind: Kind
        package let value: String
    }

    package enum PublicKey: Sendable, Hashable {
        case rsa(bits: Int)
        case p256, p384, p521, ed25519, other
    }

    /// The alternative names that identify a host: DNS names and addresses.
    package var hostNames: [String] {
        self.alternativeNames.lazy.filter { $0.kind == .dns || $0.kind == .ipAddress }.map(\.value)
    }

    /// The SHA-256 digest of the encoding, in lower-case hexadecimal digits.
    package var sha256Fingerprint: String {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256(self.derBytes, self.derBytes.count, &digest)
        let digits = Array("0123456789abcdef".utf8)
        let text = digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}

extension DecodedCertificate {
    /// The SHA-256 digest of the encoded public key (RFC 7469 §2.4), in base64.
    package var publicKeyPin: String {
        var start: UnsafePointer<UInt8>?
        return self.derBytes.withUnsafeBufferPointer { bytes in
            start = bytes.baseAddress
            guard let certificate = d2i_X509(nil, &start, bytes.count) else {
                ErrorQueue.clear()
                return ""
            }
            defer { X509_free(certificate) }
            let key = withOutputBytes { i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), $0) }
            var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
            SHA256(key, key.count, &digest)
            // Four characters for every three bytes, and a terminating zero.
            var encoded = [UInt8](repeating: 0, count: (digest.count + 2) / 3 * 4 + 1)
            let length = EVP_EncodeBlock(&encoded, digest, digest.count)
            return String(decoding: encoded.prefix(length), as: UTF8.self)
        }
    }

    /// Decodes a certificate in DER.
    package init(decoding der: [UInt8]) throws(CredentialError) {
        let list = try CertificateList(der: [der], as: .certificateChain)
        guard let pointer = list.pointers.first else {
            throw CredentialError(item: .certificateChain, path: nil, problem: .nothingGiven)
        }
        self = withExtendedLifetime(list) { DecodedCertificate(borrowing: pointer) }
    }

    /// Decodes a certificate without taking ownership of it.
    init(borrowing x509: OpaquePointer) {
        self.derBytes = withOutputBytes { i2d_X509(x509, $0) }
        self.subject = distinguishedName(X509_get_subject_name(x509))
        self.issuer = distinguishedName(X509_get_issuer_name(x509))
        self.serialNumber = Self.serialNumber(x509)
        self.publicKey = PublicKey(of: x509)
        self.alternativeNames = Self.alternativeNames(x509)
        let flags = X509_get_extension_flags(x509)
        let usage = UInt32(X509v3_KU_KEY_CERT_SIGN | X509v3_KU_CRL_SIGN)
        self.isForSigning =
            flags & UInt32(EXFLAG_CA) != 0 || (flags & UInt32(EXFLAG_KUSAGE) != 0 && X509_get_key_usage(x509) & usage != 0)
        self.notBefore = posixTime(X509_get0_notBefore(x509))
        self.notAfter = posixTime(X509_get0_notAfter(x509))
    }
}

/// Returns the output that one of BoringSSL's `i2d_` functions allocates.
func withOutputBytes(
    _ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>) -> Int32
) -> [UInt8] {
    var out: UnsafeMutablePointer<UInt8>?
    let count = encode(&out)
    defer { OPENSSL_free(out) }
    guard count > 0, let out else { return [] }
    return Array(UnsafeBufferPointer(start: out, count: Int(count)))
}

func distinguishedName(_ name: OpaquePointer?) -> String {
    guard let name, let bio = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(bio) }
    // XN_FLAG_RFC2253 without the escaping of letters outside ASCII. The macro itself is not visible in Swift.
    let characters = ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT
    let unknown = ASN1_STRFLGS_DUMP_UNKNOWN | ASN1_STRFLGS_DUMP_DER | XN_FLAG_DUMP_UNKNOWN_FIELDS
    let flags = characters | unknown | XN_FLAG_SEP_COMMA_PLUS | XN_FLAG_DN_REV
    guard X509_NAME_print_ex(bio, name, 0, flags) >= 0 else { return "" }
    return memoryBIOContents(bio)
}

/// Returns the text of a distinguished name in DER; nil if it cannot be parsed.
func distinguishedName(encoded bytes: [UInt8]) -> String? {
    bytes.withUnsafeBufferPointer { bytes in
        var start = bytes.baseAddress
        guard let name = d2i_X509_NAME(nil, &start, bytes.count) else {
            ErrorQueue.clear()
            return nil
        }
        defer { X509_NAME_free(name) }
        return distinguishedName(name)
    }
}

func memoryBIOContents(_ bio: OpaquePointer) -> String {
    var start: UnsafePointer<UInt8>?
    var count = 0
    guard BIO_mem_contents(bio, &start, &count) == 1, let start else { return "" }
    return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
}

func posixTime(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
    var seconds: Int64 = 0
    guard let time, ASN1_TIME_to_posix(time, &seconds) == 1 else { return nil }
    return seconds
}

extension DecodedCertificate {
    private static func serialNumber(_ x509: OpaquePointer) -> [UInt8] {
        guard let number = X509_get0_serialNumber(x509), let start = ASN1_STRING_get0_data(number) else { return [] }
        return Array(UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(number))))
    }

    private static func alternativeNames(_ x509: OpaquePointer) -> [AlternativeName] {
        guard let raw = X509_get_ext_d2i(x509, NID_subject_alt_name, nil, nil) else {
            ErrorQueue.clear()
            return []
        }
        let names = OpaquePointer(raw)
        defer { GENERAL_NAMES_free(names) }
        guard sk_GENERAL_NAME_num(names) <= Self.mostAlternativeNames else { return [] }
        return (0..<sk_GENERAL_NAME_num(names)).compactMap { index in
            sk_GENERAL_NAME_value(names, index).flatMap(AlternativeName.init(of:))
        }
    }
}

extension DecodedCertificate.AlternativeName {
    /// Returns nil for names of other kinds, whose values are not strings.
    fileprivate init?(of name: UnsafeMutablePointer<GENERAL_NAME>) {
        var type: Int32 = 0
        guard let value = GENERAL_NAME_get0_value(name, &type) else { return nil }
        switch type {
        case GEN_DNS: self.kind = .dns
        case GEN_IPADD: self.kind = .ipAddress
        case GEN_EMAIL: self.kind = .email
        case GEN_URI: self.kind = .uri
        default: return nil
        }
        let string = value.assumingMemoryBound(to: ASN1_STRING.self)
        let bytes = UnsafeBufferPointer(start: ASN1_STRING_get0_data(string), count: Int(ASN1_STRING_length(string)))
        self.value =
            self.kind == .ipAddress ? IPAddressBytes(Array(bytes)).description : String(decoding: bytes, as: UTF8.self)
    }
}

extension DecodedCertificate.PublicKey {
    fileprivate init(of x509: OpaquePointer) {
        guard let key = X509_get0_pubkey(x509) else {
            ErrorQueue.clear()
            self = .other
            return
        }
        self.init(key)
    }

    /// Determines the kind of an `EVP_PKEY`.
    init(_ key: OpaquePointer) {
        switch EVP_PKEY_id(key) {
        case EVP_PKEY_RSA: self = .rsa(bits: Int(EVP_PKEY_bits(key)))
        case EVP_PKEY_ED25519: self = .ed25519
        case EVP_PKEY_EC:
            switch EVP_PKEY_get_ec_curve_nid(key) {
            case NID_X9_62_prime256v1: self = .p256
            case NID_secp384r1: self = .p384
            case NID_secp521r1: self = .p521
            default: self = .other
            }
        default: self = .other
        }
    }
}
