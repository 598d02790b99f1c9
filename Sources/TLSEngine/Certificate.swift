internal import CNIOBoringSSL

/// One X.509 certificate: its encoding, and the parts of it that an error or a log line wants to name.
package struct Certificate: Sendable, Hashable {
    /// The certificate itself, DER (RFC 5280).
    package let derBytes: [UInt8]
    /// The subject's distinguished name (RFC 2253), for example `CN=localhost`; may be empty.
    package let subject: String
    package let issuer: String
    /// The subject's alternative names: DNS names and addresses.
    package let names: [String]
    /// Validity, in seconds since 1970-01-01 UTC; nil where the certificate's date cannot be read.
    package let notBefore: Int64?
    package let notAfter: Int64?
}

extension Certificate {
    /// Reads a certificate that somebody else owns.
    init(borrowing x509: OpaquePointer) {
        self.derBytes = withOutputBytes { i2d_X509(x509, $0) }
        self.subject = distinguishedName(X509_get_subject_name(x509))
        self.issuer = distinguishedName(X509_get_issuer_name(x509))
        self.names = alternativeNames(x509)
        self.notBefore = posixTime(X509_get0_notBefore(x509))
        self.notAfter = posixTime(X509_get0_notAfter(x509))
    }
}

/// Collects what one of the library's `i2d_` functions allocates.
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
    // XN_FLAG_RFC2253 without the escaping of letters outside ASCII; the macro itself is not visible in Swift.
    let characters = ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT
    let unknown = ASN1_STRFLGS_DUMP_UNKNOWN | ASN1_STRFLGS_DUMP_DER | XN_FLAG_DUMP_UNKNOWN_FIELDS
    let flags = characters | unknown | XN_FLAG_SEP_COMMA_PLUS | XN_FLAG_DN_REV
    guard X509_NAME_print_ex(bio, name, 0, flags) >= 0 else { return "" }
    return memoryBIOContents(bio)
}

/// The text of a distinguished name in DER; nil if it cannot be read.
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

private func posixTime(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
    var seconds: Int64 = 0
    guard let time, ASN1_TIME_to_posix(time, &seconds) == 1 else { return nil }
    return seconds
}

private func alternativeNames(_ x509: OpaquePointer) -> [String] {
    guard let raw = X509_get_ext_d2i(x509, NID_subject_alt_name, nil, nil) else {
        ErrorQueue.clear()
        return []
    }
    let names = OpaquePointer(raw)
    defer { GENERAL_NAMES_free(names) }
    var result: [String] = []
    for index in 0..<sk_GENERAL_NAME_num(names) {
        guard let name = sk_GENERAL_NAME_value(names, index) else { continue }
        var type: Int32 = 0
        guard let value = GENERAL_NAME_get0_value(name, &type) else { continue }
        // Only these are strings; the value of a directory name, for example, is a structure of another type.
        guard type == GEN_DNS || type == GEN_IPADD else { continue }
        let string = value.assumingMemoryBound(to: ASN1_STRING.self)
        let bytes = UnsafeBufferPointer(start: ASN1_STRING_get0_data(string), count: Int(ASN1_STRING_length(string)))
        result.append(type == GEN_DNS ? String(decoding: bytes, as: UTF8.self) : IPAddressBytes(Array(bytes)).description)
    }
    return result
}
