internal import CNIOBoringSSL

/// The algorithm or curve of a key that is not supported, as identified in the key or certificate.
package enum UnsupportedKey: Sendable, Hashable {
    case algorithm(OID)
    case curve(OID)
    /// A curve that is specified by its parameters instead of by name.
    case unnamedCurve
    /// An encrypted PKCS#8 key; BoringSSL does not report which algorithm it has.
    case encrypted
}

extension UnsupportedKey {
    private enum Known {
        static let ec: [UInt8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]
        static let dsa: [UInt8] = [0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01]
        /// RSA and Ed25519.
        static let supported: [[UInt8]] = [[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], [0x2b, 0x65, 0x70]]
        /// P-256, P-384 and P-521: the curves of ECDSA in TLS 1.3 (RFC 8446 §4.2.3).
        static let supportedCurves: [[UInt8]] = [
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], [0x2b, 0x81, 0x04, 0x00, 0x22], [0x2b, 0x81, 0x04, 0x00, 0x23],
        ]
    }

    /// Reads an AlgorithmIdentifier (RFC 5280 §4.1.1.2); nil if it is supported or cannot be parsed.
    private init?(algorithm identifier: DERReader?) {
        guard var identifier, let algorithm = identifier.objectIdentifier() else { return nil }
        if algorithm.content == Known.ec {
            self.init(curve: identifier)
        } else if Known.supported.contains(algorithm.content) {
            return nil
        } else {
            self = .algorithm(algorithm)
        }
    }

    /// Reads ECParameters (RFC 5480 §2.1.1).
    private init?(curve parameters: DERReader) {
        var parameters = parameters
        guard let curve = parameters.objectIdentifier() else {
            guard parameters.rest.first == DERReader.Tag.sequence else { return nil }
            self = .unnamedCurve
            return
        }
        if Known.supportedCurves.contains(curve.content) { return nil }
        self = .curve(curve)
    }

    /// Reads a private key in DER; nil if it is supported.
    init?(privateKey bytes: [UInt8], _ form: FileForm.KeyForm) {
        var file = DERReader(bytes[...])
        guard var key = file.sequence(), key.next(DERReader.Tag.integer) != nil else { return nil }
        switch form {
        case .pkcs8: self.init(algorithm: key.sequence())
        case .sec1:
            // RFC 5915 §3.
            guard key.next(DERReader.Tag.octetString) != nil, let curve = key.next(DERReader.Tag.context0) else { return nil }
            self.init(curve: DERReader(curve))
        case .dsa: self = .algorithm(OID(content: Known.dsa))
        case .pkcs1: return nil
        }
    }

    /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1); nil if it is supported.
    private init?(publicKey bytes: [UInt8]) {
        var file = DERReader(bytes[...])
        guard var key = file.sequence() else { return nil }
        self.init(algorithm: key.sequence())
    }

    /// nil if the key, an `EVP_PKEY`, is supported.
    init?(_ key: OpaquePointer) {
        self.init(publicKey: withOutputBytes { i2d_PUBKEY(key, $0) })
    }

    /// nil if the certificate's key is supported.
    init?(ofCertificate certificate: OpaquePointer) {
        let bytes = withOutputBytes { i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), $0) }
        self.init(publicKey: bytes)
    }
}
