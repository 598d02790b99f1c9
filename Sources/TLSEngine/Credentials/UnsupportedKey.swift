internal import CNIOBoringSSL

/// A kind of key that TLS or the library cannot use, by its name in the key or certificate.
package enum UnsupportedKey: Sendable, Hashable {
    case algorithm(OID)
    case curve(OID)
    /// The curve is given by its parameters, not by its name.
    case unnamedCurve
    /// An encrypted key; which kind it is, the library does not say.
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

    /// What an AlgorithmIdentifier names (RFC 5280 §4.1.1.2); nil if that can be used, or cannot be read.
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

    /// What ECParameters name (RFC 5480 §2.1.1).
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

    /// The kind of a private key in DER; nil if it can be used.
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

    /// The kind of a public key in DER, a SubjectPublicKeyInfo (RFC 5280 §4.1); nil if it can be used.
    private init?(publicKey bytes: [UInt8]) {
        var file = DERReader(bytes[...])
        guard var key = file.sequence() else { return nil }
        self.init(algorithm: key.sequence())
    }

    /// The kind of a key that the library has read; nil if it can be used.
    init?(_ key: OpaquePointer) {
        self.init(publicKey: withOutputBytes { i2d_PUBKEY(key, $0) })
    }

    /// The kind of a certificate's key; nil if it can be used.
    init?(ofCertificate certificate: OpaquePointer) {
        let bytes = withOutputBytes { i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), $0) }
        self.init(publicKey: bytes)
    }
}
