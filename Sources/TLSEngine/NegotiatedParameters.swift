internal import CNIOBoringSSL

/// The parameters that a handshake has negotiated.
package struct NegotiatedParameters: Sendable, Hashable {
    package let version: TLSVersion
    /// The number of the cipher suite.
    package let cipherSuite: UInt16
    /// The key exchange group; nil if the handshake had no such exchange.
    package let group: TLSGroup?
    package let applicationProtocol: String?
    /// The server name that the client asked for (RFC 6066 §3).
    package let serverName: String?
    package let resumption: ResumptionOutcome
    /// nil if a session was resumed.
    package let fullHandshakeReason: ReasonForFullHandshake?
    /// The certificates that the peer sent, its own first. Empty if it sent none.
    package let peerCertificates: [DecodedCertificate]
    /// The number of certificates from the peer's to the trusted one, both included; nil if nothing was verified.
    package let verifiedChainLength: Int?
}

extension TLSEngine {
    /// The negotiated parameters; nil before the handshake is complete.
    package var negotiated: NegotiatedParameters? {
        guard SSL_in_init(self.ssl) == 0, let version = TLSVersion(rawValue: UInt16(truncatingIfNeeded: SSL_version(self.ssl)))
        else { return nil }
        let peerCertificates = self.peerCertificates
        return NegotiatedParameters(
            version: version,
            cipherSuite: SSL_get_current_cipher(self.ssl).map { SSL_CIPHER_get_protocol_id($0) } ?? 0,
            group: TLSGroup(rawValue: SSL_get_group_id(self.ssl)),
            applicationProtocol: self.selectedApplicationProtocol,
            serverName: self.context.settings.role == .server
                ? SSL_get_servername(self.ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
                : self.sentServerName,
            resumption: self.resumption,
            fullHandshakeReason: self.fullHandshakeReason,
            peerCertificates: peerCertificates,
            // A chain that was verified for an offered session counts only if the session was resumed.
            verifiedChainLength: peerCertificates.isEmpty ? nil : self.verifiedChainLength
        )
    }

    package var selectedApplicationProtocol: String? {
        var start: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(self.ssl, &start, &length)
        guard let start, length > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(length)), as: UTF8.self)
    }

    var peerCertificates: [DecodedCertificate] {
        guard let chain = SSL_get_peer_full_cert_chain(self.ssl) else { return [] }
        return (0..<sk_X509_num(chain)).compactMap { index in
            sk_X509_value(chain, index).map { DecodedCertificate(borrowing: $0) }
        }
    }

    /// Whether keying material is unique to this connection. With TLS 1.2 and without the extended master secret, an attacker in the middle
    /// can give two connections the same keying material (RFC 7627 §7).
    package var hasUniqueKeyingMaterial: Bool { SSL_get_extms_support(self.ssl) == 1 }

    /// Returns keying material that only the two ends of this connection can derive (RFC 5705, RFC 8446 §7.5).
    ///
    /// Returns nil if the handshake is not complete, if BoringSSL rejects the length, or if the material is not unique to the connection
    /// (see `hasUniqueKeyingMaterial`).
    package func exportKeyingMaterial(label: String, context: [UInt8]?, length: Int) -> [UInt8]? {
        guard self.hasUniqueKeyingMaterial else { return nil }
        ErrorQueue.clear()
        var material = [UInt8](repeating: 0, count: length)
        let labelBytes = label.utf8.map { CChar(bitPattern: $0) }
        let result = SSL_export_keying_material(
            self.ssl, &material, material.count, labelBytes, labelBytes.count, context ?? [], context?.count ?? 0,
            context == nil ? 0 : 1)
        guard result == 1 else {
            ErrorQueue.clear()
            return nil
        }
        return material
    }
}
