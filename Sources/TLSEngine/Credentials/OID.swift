internal import CNIOBoringSSL

/// An object identifier of an algorithm or a curve.
package struct OID: Sendable, Hashable {
    /// The content octets of the DER encoding (X.690 §8.19).
    let content: [UInt8]

    init(content: [UInt8]) { self.content = content }
}

extension OID: CustomStringConvertible {
    /// Name and dotted form, for example `secp256k1 (OID 1.3.132.0.10)`; only the dotted form if the name is unknown.
    package var description: String {
        let numbers = "OID \(self.dotted)"
        return self.name.map { "\($0) (\(numbers))" } ?? numbers
    }

    /// The common name, for example `secp256k1`.
    package var name: String? {
        if let name = Self.names[self.dotted] { return name }
        return self.withObject { object in
            let nid = OBJ_obj2nid(object)
            guard nid != NID_undef, let name = OBJ_nid2ln(nid) else { return nil }
            return String(cString: name)
        }
    }

    /// The dotted form, for example `1.3.132.0.10`.
    package var dotted: String {
        // Longer than any identifier in use.
        guard self.content.count <= 64 else { return "of \(self.content.count) bytes" }
        var numbers: [UInt64] = []
        var number: UInt64 = 0
        for byte in self.content {
            guard number <= UInt64.max >> 7 else { return "with a number over 64 bits" }
            number = number << 7 | UInt64(byte & 0x7f)
            if byte & 0x80 == 0 {
                if numbers.isEmpty {
                    // The first subidentifier combines two numbers: 40 times the first, which is 0, 1 or 2, plus the second.
                    let first = min(number / 40, 2)
                    numbers = [first, number - first * 40]
                } else {
                    numbers.append(number)
                }
                number = 0
            }
        }
        return numbers.map { String($0) }.joined(separator: ".")
    }

    private func withObject<Result>(_ body: (OpaquePointer) -> Result?) -> Result? {
        // BoringSSL parses the whole element, with tag and length.
        guard (1...127).contains(self.content.count) else { return nil }
        let encoding = [DERReader.Tag.objectIdentifier, UInt8(self.content.count)] + self.content
        defer { ErrorQueue.clear() }
        return encoding.withUnsafeBufferPointer { bytes in
            var start = bytes.baseAddress
            guard let object = d2i_ASN1_OBJECT(nil, &start, bytes.count) else { return nil }
            defer { ASN1_OBJECT_free(object) }
            return body(object)
        }
    }

    /// Names that BoringSSL lacks or spells differently.
    private static let names = [
        "1.2.840.10045.2.1": "EC",
        "1.2.840.10045.3.1.1": "P-192",
        "1.3.132.0.33": "P-224",
        "1.2.840.113549.1.1.1": "RSA",
        "1.2.840.113549.1.1.10": "RSASSA-PSS",
        "1.2.840.10040.4.1": "DSA",
        "1.2.840.113549.1.3.1": "Diffie-Hellman",
        "1.2.840.10046.2.1": "Diffie-Hellman",
        "1.3.101.110": "X25519",
        "1.3.101.111": "X448",
        "1.3.101.112": "Ed25519",
        "1.3.101.113": "Ed448",
        "1.2.156.10197.1.301": "SM2",
        "1.2.643.2.2.19": "GOST R 34.10-2001",
        "1.2.643.7.1.1.1.1": "GOST R 34.10-2012 (256 bits)",
        "1.2.643.7.1.1.1.2": "GOST R 34.10-2012 (512 bits)",
        "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
        "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
        "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
        // Encryption of private keys
        "1.3.6.1.4.1.11591.4.11": "scrypt",
        "1.2.840.113549.2.12": "hmacWithSHA512-224",
        "1.2.840.113549.2.13": "hmacWithSHA512-256",
        "1.2.410.200046.1.1.2": "aria-128-cbc",
        "1.2.410.200046.1.1.7": "aria-192-cbc",
        "1.2.410.200046.1.1.12": "aria-256-cbc",
        "1.2.156.10197.1.104.2": "sm4-cbc",
    ]
}
