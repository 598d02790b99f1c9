internal import CNIOBoringSSL

/// A ClientHello (RFC 8446 §4.1.2), decoded as far as it can be. Its fields are decoded on access, so that a decision that waits keeps the
/// bytes only.
package struct ClientHelloMessage: Sendable, Hashable {
    /// The message without its header.
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The requested server name (RFC 6066 §3), in lower case and without a trailing dot; nil if there is none.
    package var serverName: String? {
        var serverName: String?
        var extensions = VectorReader(extensionsOf: self.bytes)
        while let type = extensions.uint16(), let content = extensions.vector16() {
            if Int32(type) == TLSEXT_TYPE_server_name { serverName = Self.hostName(in: content) }
        }
        return serverName
    }

    package var offer: TLSOffer { TLSOffer(clientHello: self.bytes) }

    /// The numbers of all cipher suites in their order, signals included, without those of GREASE (RFC 8701).
    package var cipherSuites: [UInt16] { VectorReader.cipherSuites(of: self.bytes) }

    /// The numbers of the extensions in their order, without those of GREASE (RFC 8701).
    package var extensions: [UInt16] {
        var types: [UInt16] = []
        var extensions = VectorReader(extensionsOf: self.bytes)
        while let type = extensions.uint16(), extensions.vector16() != nil { if !type.isGREASE { types.append(type) } }
        return types
    }

    private static func hostName(in content: ArraySlice<UInt8>) -> String? {
        var content = VectorReader(content)
        var names = VectorReader(content.vector16() ?? [])
        while let type = names.take(1)?.first, let name = names.vector16() {
            if Int32(type) == TLSEXT_NAMETYPE_host_name { return ServerNames.normalized(String(decoding: name, as: UTF8.self)) }
        }
        return nil
    }

    /// The bytes of the first application protocol, which need not be UTF-8; nil if there is none.
    private var firstApplicationProtocol: ArraySlice<UInt8>? {
        var first: ArraySlice<UInt8>?
        var extensions = VectorReader(extensionsOf: self.bytes)
        while let type = extensions.uint16(), let content = extensions.vector16() {
            guard Int32(type) == TLSEXT_TYPE_application_layer_protocol_negotiation else { continue }
            var reader = VectorReader(content)
            var names = VectorReader(reader.vector16() ?? [])
            first = names.vector8().flatMap { $0.isEmpty ? nil : $0 }
        }
        return first
    }

    /// A digest of what the client offers, apart from names and keys, in the form of JA4 (`t13d1516h2_8daaf6152771_e5627efa2ab1`): clients
    /// with the same TLS library and settings have the same fingerprint.
    package var fingerprint: String {
        func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(min(number, 99))" }
        let (offer, suites, extensions) = (self.offer, self.cipherSuites, self.extensions)
        let version =
            switch offer.versions.max() {
            case 0x0304: "13"
            case 0x0303: "12"
            case 0x0302: "11"
            case 0x0301: "10"
            default: "00"
            }
        let protocolName = self.firstApplicationProtocol.map { name in
            let ends = [name.first, name.last].compactMap { $0 }
            let isReadable = ends.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            }
            if isReadable { return String(decoding: ends, as: UTF8.self) }
            let digits = ends.map(hexadecimal)
            return "\(digits.first?.first ?? "0")\(digits.last?.last ?? "0")"
        }
        let counts = twoDigits(suites.count) + twoDigits(extensions.count)
        let start = "t\(version)\(self.serverName == nil ? "i" : "d")\(counts)\(protocolName ?? "00")"
        let listed = extensions.filter {
            Int32($0) != TLSEXT_TYPE_server_name && Int32($0) != TLSEXT_TYPE_application_layer_protocol_negotiation
        }
        let signatures = offer.signatureAlgorithms.map(hexadecimal).joined(separator: ",")
        let rest = listed.sorted().map(hexadecimal).joined(separator: ",") + (signatures.isEmpty ? "" : "_" + signatures)
        return "\(start)_\(shortDigest(suites.sorted().map(hexadecimal).joined(separator: ",")))_\(shortDigest(rest))"
    }
}

private func hexadecimal(_ number: UInt16) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 4 - digits.count) + digits
}

private func hexadecimal(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0" + digits : digits
}

/// The first 12 hexadecimal digits of the SHA-256 digest.
private func shortDigest(_ text: String) -> String {
    guard !text.isEmpty else { return "000000000000" }
    let bytes = Array(text.utf8)
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    SHA256(bytes, bytes.count, &digest)
    return digest.prefix(6).map(hexadecimal).joined()
}
