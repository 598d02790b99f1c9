internal import CNIOBoringSSL

/// The parameters that one side brings to a negotiation, as numbers of IANA's TLS registries, in order of preference.
package struct TLSOffer: Sendable, Hashable {
    package var versions: [UInt16] = []
    package var cipherSuites: [UInt16] = []
    package var groups: [UInt16] = []
    package var signatureAlgorithms: [UInt16] = []
    package var applicationProtocols: [String] = []

    package init() {}
}

// MARK: A client's offer

extension TLSOffer {
    /// Parses a ClientHello without its header (RFC 8446 §4.1.2), as far as it can be parsed.
    init(clientHello bytes: [UInt8]) {
        var hello = VectorReader(bytes[...])
        guard let version = hello.uint16(), hello.take(32) != nil, hello.vector8() != nil, let suites = hello.vector16() else {
            return
        }
        // These are signals, not cipher suites (RFC 5746 §3.3, RFC 7507 §2).
        self.cipherSuites = Self.values(suites).filter { $0 != 0x00ff && $0 != 0x5600 }
        self.versions = Self.versions(upTo: version)
        guard hello.vector8() != nil, var extensions = hello.vector16().map(VectorReader.init) else { return }
        while let type = extensions.uint16(), let content = extensions.vector16() {
            var content = VectorReader(content)
            switch Int32(type) {
            case TLSEXT_TYPE_supported_versions: self.versions = Self.values(content.vector8() ?? [])
            case TLSEXT_TYPE_supported_groups: self.groups = Self.values(content.vector16() ?? [])
            case TLSEXT_TYPE_signature_algorithms: self.signatureAlgorithms = Self.values(content.vector16() ?? [])
            case TLSEXT_TYPE_application_layer_protocol_negotiation:
                var names = VectorReader(content.vector16() ?? [])
                while let name = names.vector8(), !name.isEmpty, self.applicationProtocols.count < Self.mostApplicationProtocols {
                    self.applicationProtocols.append(String(decoding: name, as: UTF8.self))
                }
            default: break
            }
        }
    }

    /// The most application protocols of a ClientHello that are decoded. A name of one byte becomes a string of sixteen. Empty names are
    /// not permitted (RFC 7301 §3.1).
    private static let mostApplicationProtocols = 64

    /// Returns the versions of a client without `supported_versions`: all up to the one that it names (RFC 5246 §E.1).
    private static func versions(upTo version: UInt16) -> [UInt16] {
        [0x0303, 0x0302, 0x0301].filter { $0 <= version }
    }

    /// Returns the values of a list of numbers without those of GREASE, which are to be ignored (RFC 8701 §2).
    private static func values(_ bytes: ArraySlice<UInt8>) -> [UInt16] {
        var reader = VectorReader(bytes)
        var values: [UInt16] = []
        while let value = reader.uint16() {
            if !value.isGREASE { values.append(value) }
        }
        return values
    }
}

extension UInt16 {
    /// Whether a peer must ignore this value, which clients send to keep servers tolerant (RFC 8701 §2).
    var isGREASE: Bool { self & 0x0f0f == 0x0a0a && self >> 8 == self & 0xff }
}

/// A cursor over TLS vectors, each of which is preceded by its length (RFC 8446 §3.4).
struct VectorReader<Bytes: RandomAccessCollection<UInt8>> where Bytes.SubSequence == Bytes {
    private(set) var rest: Bytes

    init(_ bytes: Bytes) { self.rest = bytes }

    mutating func take(_ count: Int) -> Bytes? {
        guard self.rest.count >= count else { return nil }
        defer { self.rest = self.rest.dropFirst(count) }
        return self.rest.prefix(count)
    }

    mutating func uint16() -> UInt16? { self.take(2).map { $0.reduce(0) { $0 << 8 | UInt16($1) } } }

    mutating func vector8() -> Bytes? { self.take(1)?.first.flatMap { self.take(Int($0)) } }

    mutating func vector16() -> Bytes? { self.uint16().flatMap { self.take(Int($0)) } }
}

extension VectorReader<ArraySlice<UInt8>> {
    /// Reads the extensions of a ClientHello without its header; empty if there are none.
    init(extensionsOf bytes: [UInt8]) {
        var hello = VectorReader(bytes[...])
        let precedes = hello.take(2 + 32) != nil && hello.vector8() != nil && hello.vector16() != nil && hello.vector8() != nil
        self.init(precedes ? hello.vector16() ?? [] : [])
    }

    /// The cipher suites of a ClientHello without its header, signals included (RFC 5746 §3.3), without those of GREASE.
    static func cipherSuites(of bytes: [UInt8]) -> [UInt16] {
        var hello = VectorReader(bytes[...])
        guard hello.take(2 + 32) != nil, hello.vector8() != nil, var suites = hello.vector16().map(VectorReader.init) else {
            return []
        }
        var numbers: [UInt16] = []
        while let number = suites.uint16() { if !number.isGREASE { numbers.append(number) } }
        return numbers
    }
}

// MARK: This side's offer

extension TLSContext {
    /// The parameters that this side offers as a client, or supports as a server.
    package var offer: TLSOffer {
        var offer = TLSOffer()
        offer.versions = TLSVersion.allCases.filter(self.settings.versions.contains).map(\.rawValue)
        offer.cipherSuites = self.cipherSuiteNumbers
        // BoringSSL leaves post-quantum groups out with TLS 1.2.
        let hasTLS13 = self.settings.versions.contains(.v1_3)
        offer.groups = self.settings.groups.filter { hasTLS13 || $0 != .x25519MLKEM768 }.map(\.rawValue)
        offer.signatureAlgorithms = Self.signatureAlgorithms
        offer.applicationProtocols = self.settings.applicationProtocols
        return offer
    }

    /// The suites of TLS 1.3, which cannot be configured, and the configured ones of TLS 1.2.
    private var cipherSuiteNumbers: [UInt16] {
        let modern = [SSL_CIPHER_AES_128_GCM_SHA256, SSL_CIPHER_AES_256_GCM_SHA384, SSL_CIPHER_CHACHA20_POLY1305_SHA256]
        guard let ciphers = SSL_CTX_get_ciphers(self.pointer) else { return [] }
        let older = (0..<sk_SSL_CIPHER_num(ciphers)).compactMap {
            sk_SSL_CIPHER_value(ciphers, $0).map(SSL_CIPHER_get_protocol_id)
        }
        return (self.settings.versions.contains(.v1_3) ? modern.map { UInt16($0) } : [])
            + (self.settings.versions.contains(.v1_2) ? older : [])
    }
}

extension TLSEngine {
    /// The parameters that this side offers in this connection as a client, or supports as a server.
    package var offer: TLSOffer {
        var offer = self.context.offer
        if let groups { offer.groups = groups.map(\.rawValue) }
        return offer
    }
}

extension TLSOffer {
    /// Returns the offer with the suites of this version only; nil keeps the suites of all versions.
    package func of(_ version: TLSVersion?) -> TLSOffer {
        guard let version else { return self }
        var offer = self
        offer.cipherSuites = self.cipherSuites.filter { number in
            SSL_get_cipher_by_value(number).map {
                (SSL_CIPHER_get_min_version($0)...SSL_CIPHER_get_max_version($0)).contains(version.rawValue)
            } ?? false
        }
        return offer
    }

    /// Returns the part of an offer that can be used with its side's own key.
    ///
    /// - Parameter version: The version that was chosen; nil if none was.
    func usable(with key: PrivateKey?, over version: TLSVersion?) -> TLSOffer {
        var offer = self
        let keyType = key.map { EVP_PKEY_id($0.pointer) }
        offer.cipherSuites = self.cipherSuites.filter { number in
            switch SSL_get_cipher_by_value(number).map(SSL_CIPHER_get_auth_nid) {
            case NID_auth_rsa: keyType == EVP_PKEY_RSA
            // Suites named after ECDSA are also used with Ed25519 (RFC 8422 §5.1).
            case NID_auth_ecdsa: keyType == EVP_PKEY_EC || keyType == EVP_PKEY_ED25519
            default: true
            }
        }
        offer.signatureAlgorithms = self.signatureAlgorithms.filter {
            SSL_get_signature_algorithm_key_type($0) == keyType
                && (version != .v1_3 || Self.isOfTLS13($0, for: key))
        }
        return offer
    }

    /// Returns the part of an offer that can be used with one of its side's keys.
    func usable(withAnyOf keys: [PrivateKey], over version: TLSVersion?) -> TLSOffer {
        let parts = keys.isEmpty ? [self.usable(with: nil, over: version)] : keys.map { self.usable(with: $0, over: version) }
        var offer = self
        offer.cipherSuites = self.cipherSuites.filter { suite in parts.contains { $0.cipherSuites.contains(suite) } }
        offer.signatureAlgorithms = self.signatureAlgorithms.filter { algorithm in
            parts.contains { $0.signatureAlgorithms.contains(algorithm) }
        }
        return offer
    }

    /// Whether TLS 1.3 permits an algorithm for a handshake's signature with this key: not PKCS #1, and ECDSA with the curve that the
    /// algorithm names (RFC 8446 §4.2.3).
    private static func isOfTLS13(_ algorithm: UInt16, for key: PrivateKey?) -> Bool {
        let curve = key.map { DecodedCertificate.PublicKey($0.pointer) }
        return switch Int32(algorithm) {
        case SSL_SIGN_RSA_PKCS1_SHA256, SSL_SIGN_RSA_PKCS1_SHA384, SSL_SIGN_RSA_PKCS1_SHA512: false
        case SSL_SIGN_ECDSA_SECP256R1_SHA256: curve == .p256
        case SSL_SIGN_ECDSA_SECP384R1_SHA384: curve == .p384
        case SSL_SIGN_ECDSA_SECP521R1_SHA512: curve == .p521
        default: true
        }
    }
}

// MARK: Names

/// The standard names of the numbers in a negotiation; a number without a name is given in hexadecimal.
package enum TLSNames {
    package static func version(_ number: UInt16) -> String {
        switch number {
        case 0x0300: "SSL 3.0"
        case 0x0301...0x0304: "TLS 1.\(number - 0x0301)"
        default: self.hexadecimal(number)
        }
    }

    package static func cipherSuite(_ number: UInt16) -> String {
        SSL_get_cipher_by_value(number).flatMap { SSL_CIPHER_standard_name($0) }.map { String(cString: $0) }
            ?? self.olderSuites[number] ?? self.hexadecimal(number)
    }

    package static func group(_ number: UInt16) -> String {
        SSL_get_group_name(number).map { String(cString: $0) } ?? self.otherGroups[number] ?? self.hexadecimal(number)
    }

    package static func signatureAlgorithm(_ number: UInt16) -> String {
        SSL_get_signature_algorithm_name(number, 1).map { String(cString: $0) }
            ?? self.otherSignatureAlgorithms[number] ?? self.hexadecimal(number)
    }

    private static func hexadecimal(_ number: UInt16) -> String {
        let digits = String(number, radix: 16)
        return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
    }

    /// Suites that BoringSSL does not support and that old peers offer.
    private static let olderSuites: [UInt16: String] = [
        0x0004: "TLS_RSA_WITH_RC4_128_MD5", 0x0005: "TLS_RSA_WITH_RC4_128_SHA", 0x000a: "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        0x0016: "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", 0x0033: "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
        0x0039: "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", 0x003c: "TLS_RSA_WITH_AES_128_CBC_SHA256",
        0x003d: "TLS_RSA_WITH_AES_256_CBC_SHA256", 0x0067: "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
        0x006b: "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", 0x009e: "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        0x009f: "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", 0x1304: "TLS_AES_128_CCM_SHA256", 0x1305: "TLS_AES_128_CCM_8_SHA256",
        0xc024: "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", 0xc028: "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
        0xccaa: "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    ]

    private static let otherGroups: [UInt16: String] = [
        22: "secp256k1", 26: "brainpoolP256r1", 27: "brainpoolP384r1", 28: "brainpoolP512r1", 30: "X448",
        31: "brainpoolP256r1tls13", 32: "brainpoolP384r1tls13", 33: "brainpoolP512r1tls13",
        0x0100: "ffdhe2048", 0x0101: "ffdhe3072", 0x0102: "ffdhe4096", 0x0103: "ffdhe6144", 0x0104: "ffdhe8192",
        0x11eb: "SecP256r1MLKEM768", 0x11ed: "SecP384r1MLKEM1024",
    ]

    private static let otherSignatureAlgorithms: [UInt16: String] = [
        0x0202: "dsa_sha1", 0x0301: "rsa_pkcs1_sha224", 0x0303: "ecdsa_sha224", 0x0402: "dsa_sha256", 0x0808: "ed448",
        0x0809: "rsa_pss_pss_sha256", 0x080a: "rsa_pss_pss_sha384", 0x080b: "rsa_pss_pss_sha512",
        0x081a: "ecdsa_brainpoolP256r1tls13_sha256", 0x081b: "ecdsa_brainpoolP384r1tls13_sha384",
        0x081c: "ecdsa_brainpoolP512r1tls13_sha512", 0x0904: "mldsa44", 0x0905: "mldsa65", 0x0906: "mldsa87",
    ]
}

extension PrivateKey {
    /// The key's kind and size, for example `RSA of 2048 bits`.
    var summary: String { DecodedCertificate.PublicKey(self.pointer).summary }
}

extension DecodedCertificate.PublicKey {
    /// The key's kind and size, for example `RSA of 2048 bits`.
    var summary: String {
        switch self {
        case .rsa(let bits): "RSA of \(bits) bits"
        case .p256: "ECDSA on P-256"
        case .p384: "ECDSA on P-384"
        case .p521: "ECDSA on P-521"
        case .ed25519: "Ed25519"
        case .other: "another kind"
        }
    }
}
