internal import CNIOBoringSSL

/// The algorithm of a signature (`AlgorithmIdentifier`), for structures whose signatures BoringSSL does not verify.
struct OCSPSignatureAlgorithm {
    private enum Padding { case pkcs1, pss }

    private enum Key {
        case rsa(Padding), ecdsa, ed25519

        var type: Int32 {
            switch self {
            case .rsa: EVP_PKEY_RSA
            case .ecdsa: EVP_PKEY_EC
            case .ed25519: EVP_PKEY_ED25519
            }
        }
    }

    private enum Hash { case sha1, sha256, sha384, sha512 }

    private let key: Key
    /// nil for Ed25519, which hashes the message itself (RFC 8032).
    private let hash: Hash?

    var isWeak: Bool { self.hash == .sha1 }

    /// Decodes an algorithm in DER; nil if it is not supported.
    init?(der: [UInt8]) {
        if let hash = Self.pssAlgorithms[der] {
            (self.key, self.hash) = (.rsa(.pss), hash)
            return
        }
        var file = StrictDERReader(der[...])
        guard var fields = try? file.reader(), let identifier = try? fields.objectIdentifier().content else { return nil }
        let parameters = Array(fields.rest)
        if identifier == [0x2b, 0x65, 0x70], parameters.isEmpty {
            (self.key, self.hash) = (.ed25519, nil)
        } else if let hash = Self.ecdsaAlgorithms[identifier], parameters.isEmpty {
            (self.key, self.hash) = (.ecdsa, hash)
        } else if identifier.dropLast() == Self.pkcs1, let hash = identifier.last.flatMap({ Self.rsaAlgorithms[$0] }),
            // RFC 4055 §5 requires NULL. Some programs omit it.
            parameters == [0x05, 0x00] || parameters.isEmpty
        {
            (self.key, self.hash) = (.rsa(.pkcs1), hash)
        } else {
            return nil
        }
    }

    /// The algorithm's identifier, for messages.
    static func identifier(ofDER der: [UInt8]) -> OID {
        var file = StrictDERReader(der[...])
        guard var fields = try? file.reader(), let identifier = try? fields.objectIdentifier() else { return OID(content: []) }
        return identifier
    }

    // MARK: Identifiers

    /// 1.2.840.113549.1.1.
    private static let pkcs1: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01]
    private static let rsaAlgorithms: [UInt8: Hash] = [5: .sha1, 11: .sha256, 12: .sha384, 13: .sha512]
    /// 1.2.840.10045.4.
    private static let ecdsa: [UInt8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04]
    private static let ecdsaAlgorithms: [[UInt8]: Hash] = [
        ecdsa + [1]: .sha1, ecdsa + [3, 2]: .sha256, ecdsa + [3, 3]: .sha384, ecdsa + [3, 4]: .sha512,
    ]

    /// RSASSA-PSS with the same hash function for the message and for the mask, and a salt of its length, as BoringSSL accepts it in
    /// certificates (RFC 4055 §3.1).
    private static let pssAlgorithms: [[UInt8]: Hash] = {
        // 2.16.840.1.101.3.4.2.
        let sha2: [UInt8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02]
        var algorithms: [[UInt8]: Hash] = [:]
        for (number, length, function) in [(UInt8(1), UInt8(32), Hash.sha256), (2, 48, .sha384), (3, 64, .sha512)] {
            func sequence(_ content: [UInt8]) -> [UInt8] { DERReader.encoding(DERReader.Tag.sequence, content) }
            func identifier(_ content: [UInt8]) -> [UInt8] { DERReader.encoding(DERReader.Tag.objectIdentifier, content) }
            let hash = sequence(identifier(sha2 + [number]) + [0x05, 0x00])
            let mask = sequence(identifier(Self.pkcs1 + [8]) + hash)
            let parameters =
                DERReader.encoding(0xa0, hash) + DERReader.encoding(0xa1, mask)
                + DERReader.encoding(0xa2, [0x02, 0x01, length])
            algorithms[sequence(identifier(Self.pkcs1 + [10]) + sequence(parameters))] = function
        }
        return algorithms
    }()

    // MARK: Verification

    /// Whether `signature` is the signature of `message` with this key.
    func verifies(_ signature: [UInt8], of message: [UInt8], with key: OpaquePointer) -> Bool {
        guard EVP_PKEY_id(key) == self.key.type, let context = EVP_MD_CTX_new() else { return false }
        defer {
            EVP_MD_CTX_free(context)
            ErrorQueue.clear()
        }
        var parameters: OpaquePointer?
        guard EVP_DigestVerifyInit(context, &parameters, self.digest, nil, key) == 1 else { return false }
        if case .rsa(.pss) = self.key {
            guard EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1,
                EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1
            else { return false }
        }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    private var digest: OpaquePointer? {
        switch self.hash {
        case .sha1: EVP_sha1()
        case .sha256: EVP_sha256()
        case .sha384: EVP_sha384()
        case .sha512: EVP_sha512()
        case nil: nil
        }
    }
}
