internal import CNIOBoringSSL

/// Checks an OCSP response about one certificate (RFC 6960 §3.2): who has signed it, whether it is current, and what it says.
///
/// A response is signed by the issuer of the certificate, or by a responder whose certificate the issuer has signed for this purpose
/// (§4.2.2.2). The revocation of the responder's own certificate is not checked.
struct OCSPCheck {
    enum Verdict {
        case good(nextUpdate: Int64)
        case revoked(Revocation)
        case fault(OCSPResponseFault)
    }

    /// The time by which the clocks of the responder and of this machine may differ, in seconds.
    static let permittedSkew: Int64 = 300

    let response: OCSPResponse
    let certificate: OpaquePointer
    /// The certificate of the issuer; nil if it is not known. The signature is then not verified.
    let issuer: OpaquePointer?
    let allowing: LegacyCertificateOptions
    /// In seconds since 1970-01-01 UTC.
    let now: Int64
    /// The time in seconds for which a response is used after its next update was due.
    let permittedDelay: Int64

    /// The bound on verifying signatures: that of the response and those of the certificates in it.
    private let budget = VerificationBudget()

    init(
        _ response: OCSPResponse, of certificate: OpaquePointer, issuedBy issuer: OpaquePointer?,
        allowing legacy: LegacyCertificateOptions, now: UInt64, permittedDelay: Int64
    ) {
        self.response = response
        self.certificate = certificate
        self.issuer = issuer
        self.allowing = legacy
        self.now = Int64(clamping: now)
        self.permittedDelay = permittedDelay
    }

    /// Returns the verdict of the statuses about the certificate. A revocation counts whatever the dates are, as in a revocation list.
    func verdict() -> Verdict {
        let statuses = self.response.statuses.filter { self.isIdentified(by: $0.certificate) }
        if statuses.isEmpty { return .fault(.otherCertificate) }
        if let fault = self.issuer.flatMap(self.faultOfSignature) { return .fault(fault) }
        var faults: [OCSPResponseFault] = []
        var latest: Int64?
        for status in statuses {
            switch status.status {
            case .revoked(let revocation): return .revoked(revocation)
            case .unknown: faults.append(.unknownCertificate)
            case .good:
                switch self.time(of: status) {
                case .success(let nextUpdate): latest = max(latest ?? nextUpdate, nextUpdate)
                case .failure(let fault): faults.append(fault)
                }
            }
        }
        return latest.map { .good(nextUpdate: $0) } ?? .fault(faults.first ?? .otherCertificate)
    }

    /// Returns the end of a status's validity, or why it is not valid now.
    private func time(of status: OCSPResponse.CertificateStatus) -> Result<Int64, OCSPResponseFault> {
        if status.thisUpdate > self.now + Self.permittedSkew { return .failure(.notYetValid(thisUpdate: status.thisUpdate)) }
        // RFC 5019 §4: a response without it could be replayed for ever.
        guard let nextUpdate = status.nextUpdate else { return .failure(.noNextUpdate) }
        return nextUpdate < self.now - self.permittedDelay ? .failure(.outdated(nextUpdate: nextUpdate)) : .success(nextUpdate)
    }

    /// Whether the identifier is the certificate's (RFC 6960 §4.1.1).
    private func isIdentified(by identifier: OCSPResponse.CertificateID) -> Bool {
        guard let hash = identifier.hash else { return false }
        let serialNumber = withOutputBytes { i2d_ASN1_INTEGER(X509_get0_serialNumber(self.certificate), $0) }
        guard identifier.serialNumber == serialNumber else { return false }
        let name = withOutputBytes { i2d_X509_NAME(X509_get_issuer_name(self.certificate), $0) }
        guard identifier.issuerNameHash == hash.digest(name) else { return false }
        return self.issuer.map { identifier.issuerKeyHash == hash.digest(publicKeyBits(of: $0)) } ?? true
    }

    // MARK: The signature

    /// Returns the reason for which the signature is not accepted; nil if it is.
    private func faultOfSignature(issuer: OpaquePointer) -> OCSPResponseFault? {
        guard let algorithm = OCSPSignatureAlgorithm(der: self.response.algorithm) else {
            return .unsupportedSignature(OCSPSignatureAlgorithm.identifier(ofDER: self.response.algorithm))
        }
        if algorithm.isWeak, !self.allowing.contains(.sha1Signatures) { return .weakSignature }
        var fault = OCSPResponseFault.responderUnknown
        if self.response.responder.identifies(issuer) {
            if self.isSigned(algorithm, by: issuer) { return nil }
            fault = .badSignature
        }
        // A certificate that cannot be decoded makes the others unusable as well: the responder has added only what is needed.
        if let sent = try? CertificateList(der: self.response.certificates, as: .certificateChain) {
            for certificate in sent.pointers where self.response.responder.identifies(certificate) {
                if let unfit = self.fault(ofResponder: certificate, issuer: issuer) {
                    fault = unfit
                } else if self.isSigned(algorithm, by: certificate) {
                    return nil
                } else {
                    fault = .badSignature
                }
            }
        }
        return self.budget.isExhausted ? .tooMuchWork : fault
    }

    private func isSigned(_ algorithm: OCSPSignatureAlgorithm, by certificate: OpaquePointer) -> Bool {
        guard let key = X509_get0_pubkey(certificate), self.budget.spendSignature(with: key) else { return false }
        return algorithm.verifies(self.response.signature, of: self.response.signedPart, with: key)
    }

    /// Returns the reason for which a responder may not sign for the issuer; nil if it may (RFC 6960 §4.2.2.2).
    private func fault(ofResponder certificate: OpaquePointer, issuer: OpaquePointer) -> OCSPResponseFault? {
        defer { ErrorQueue.clear() }
        guard X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) == 0,
            let key = X509_get0_pubkey(issuer), self.budget.spendSignature(with: key), X509_verify(certificate, key) == 1
        else { return .responderUnknown }
        let flags = X509_get_extension_flags(certificate)
        if flags & UInt32(EXFLAG_INVALID) != 0 || flags & UInt32(EXFLAG_CRITICAL) != 0 { return .responderMalformed }
        // All bits are set if there is no extended key usage, which does not authorize a responder.
        guard flags & UInt32(EXFLAG_XKUSAGE) != 0, X509_get_extended_key_usage(certificate) & UInt32(XKU_OCSP_SIGN) != 0,
            X509_get_key_usage(certificate) & UInt32(X509v3_KU_DIGITAL_SIGNATURE) != 0
        else { return .responderNotAuthorized }
        let weakness =
            CertificateWeakness(keyOf: certificate, allowing: self.allowing)
            ?? CertificateWeakness(signatureOf: certificate, allowing: self.allowing)
        if let weakness { return .responderWeak(weakness) }
        guard let start = posixTime(X509_get0_notBefore(certificate)), let end = posixTime(X509_get0_notAfter(certificate)),
            start <= self.now, self.now <= end
        else { return .responderNotValid }
        return nil
    }
}

extension OCSPResponse.Responder {
    /// Whether this is the responder's own certificate.
    fileprivate func identifies(_ certificate: OpaquePointer) -> Bool {
        switch self {
        case .keyHash(let hash): return OCSPResponse.Hash.sha1.digest(publicKeyBits(of: certificate)) == hash
        case .name(let der):
            return der.withUnsafeBufferPointer { bytes in
                var position = bytes.baseAddress
                guard let name = d2i_X509_NAME(nil, &position, bytes.count) else {
                    ErrorQueue.clear()
                    return false
                }
                defer { X509_NAME_free(name) }
                return X509_NAME_cmp(name, X509_get_subject_name(certificate)) == 0
            }
        }
    }
}

extension OCSPResponse.Hash {
    fileprivate func digest(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .sha1:
            var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
            SHA1(bytes, bytes.count, &digest)
            return digest
        case .sha256:
            var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
            SHA256(bytes, bytes.count, &digest)
            return digest
        }
    }
}

/// The contents of the BIT STRING of a public key, of which RFC 6960 hashes are.
private func publicKeyBits(of certificate: OpaquePointer) -> [UInt8] {
    guard let bits = X509_get0_pubkey_bitstr(certificate) else { return [] }
    return Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data(bits), count: Int(ASN1_STRING_length(bits))))
}
