internal import CNIOBoringSSL

extension TLSEngine {
    /// Returns the reason to refuse a server whose chain has been verified, by the OCSP response that it has stapled (RFC 6066 §8); nil if
    /// there is none.
    ///
    /// Only the server's own certificate is checked, and not if it is the trusted end of the chain. A response is not needed unless the
    /// certificate requires one (RFC 7633). An error of the responder, which some servers staple while it is out of service, is not signed:
    /// an attacker who could send it could also omit the response. It therefore counts as no response.
    func refusalByStapledStatus(of chain: [OpaquePointer]) -> CertificateRefusal? {
        guard self.context.settings.role == .client, chain.count > 1 else { return nil }
        let (leaf, issuer) = (chain[0], chain[1])
        defer { ErrorQueue.clear() }
        do throws(OCSPResponseFault) {
            guard let bytes = try self.stapledResponse() else { return leaf.refusalWithoutStatus(responderError: nil) }
            let check = OCSPCheck(
                try OCSPResponse(der: bytes), of: leaf, issuedBy: issuer, allowing: self.context.settings.legacyCertificates,
                now: self.context.settings.now(), permittedDelay: OCSPCheck.permittedSkew)
            switch check.verdict() {
            case .good: return nil
            case .revoked(let revocation):
                return CertificateRefusal(CertificateRefusal.revoked, .revoked(revocation), depth: 0, of: leaf)
            case .fault(let fault): throw fault
            }
        } catch .unsuccessful(let status) {
            return leaf.refusalWithoutStatus(responderError: status)
        } catch {
            return CertificateRefusal(CertificateRefusal.ofThisEngine, .badStatusResponse(error), depth: 0, of: leaf)
        }
    }

    /// The OCSP response that the server has sent for its certificate; nil if it has sent none.
    private func stapledResponse() throws(OCSPResponseFault) -> [UInt8]? {
        var start: UnsafePointer<UInt8>?
        var count = 0
        SSL_get0_ocsp_response(self.ssl, &start, &count)
        guard let start, count > 0 else { return nil }
        guard count <= OCSPResponse.longest else { throw .tooLong(limit: OCSPResponse.longest) }
        return Array(UnsafeBufferPointer(start: start, count: count))
    }
}

extension OpaquePointer {
    /// Returns the refusal of a certificate that requires an OCSP response, without one; nil if it does not require it.
    fileprivate func refusalWithoutStatus(responderError: Int?) -> CertificateRefusal? {
        guard self.requiresStapledStatus else { return nil }
        return CertificateRefusal(
            CertificateRefusal.ofThisEngine, .statusResponseMissing(responderError: responderError), depth: 0, of: self)
    }

    /// Whether a certificate has the TLS feature `status_request`, known as "must-staple" (RFC 7633 §4.2.1). An extension that cannot be
    /// decoded counts as if it had.
    var requiresStapledStatus: Bool {
        for index in 0..<X509_get_ext_count(self) {
            guard let ext = X509_get_ext(self, index), let object = X509_EXTENSION_get_object(ext),
                OID(of: object).content == Self.tlsFeature
            else { continue }
            guard let content = X509_EXTENSION_get_data(ext) else { return true }
            let bytes = UnsafeBufferPointer(start: ASN1_STRING_get0_data(content), count: Int(ASN1_STRING_length(content)))
            var file = StrictDERReader(Array(bytes)[...])
            guard var features = try? file.reader(), file.isAtEnd else { return true }
            while !features.isAtEnd {
                guard let feature = try? features.next(StrictDERReader.Tag.integer) else { return true }
                if feature.content == [UInt8(TLSEXT_TYPE_status_request)] { return true }
            }
        }
        return false
    }

    /// 1.3.6.1.5.5.7.1.24: id-pe-tlsfeature.
    private static let tlsFeature: [UInt8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18]
}
