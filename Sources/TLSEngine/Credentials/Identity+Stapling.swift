internal import CNIOBoringSSL

/// An OCSP response that a server sends with its certificate.
package struct StapledResponse: Sendable {
    /// The response in DER.
    package let bytes: [UInt8]
    /// The end of its validity, in seconds since 1970-01-01 UTC. It is not sent after that.
    package let nextUpdate: Int64
}

extension Identity {
    /// Returns this identity with an OCSP response in DER (RFC 6960), which a server sends to clients that request one.
    ///
    /// The response must be about the first certificate, good and current. Its signature is verified if the certificate's issuer is in the
    /// chain.
    package func stapling(_ source: PEMInput, allowing legacy: LegacyCertificateOptions = []) throws(CredentialError) -> Identity
    {
        func failure(_ problem: CredentialError.Problem) -> CredentialError {
            CredentialError(item: .ocspResponse, path: source.path, problem: problem)
        }
        let bytes = try source.load(.ocspResponse)
        guard let chain = self.chain, let leaf = chain.pointers.first else { throw failure(.responseWithoutCertificate) }
        defer { ErrorQueue.clear() }
        let fault: OCSPResponseFault
        do throws(OCSPResponseFault) {
            let issuer = chain.pointers.dropFirst().first { X509_check_issued($0, leaf) == X509_V_OK }
            let check = OCSPCheck(
                try OCSPResponse(der: bytes), of: leaf, issuedBy: issuer, allowing: legacy,
                now: TLSSettings(role: .server).now(), permittedDelay: 0)
            switch check.verdict() {
            case .good(let nextUpdate): return self.stapling(StapledResponse(bytes: bytes, nextUpdate: nextUpdate))
            case .revoked(let revocation): fault = .revoked(revocation)
            case .fault(let found): fault = found
            }
        } catch {
            if error == .malformed, let form = FileForm.recognized(in: bytes), form != .otherDER {
                throw failure(.otherForm(form))
            }
            fault = error
        }
        throw failure(.unusableResponse(fault, subject: DecodedCertificate(borrowing: leaf).subject))
    }

    /// Whether clients may refuse the first certificate if no OCSP response is sent with it (RFC 7633).
    package var requiresStapledResponse: Bool { self.chain?.pointers.first?.requiresStapledStatus ?? false }

    /// Returns this identity with a response that is not checked. For tests.
    ///
    /// - Parameter nextUpdate: The end of its validity, in seconds since 1970-01-01 UTC.
    package func stapling(unchecked bytes: [UInt8], until nextUpdate: Int64 = .max) -> Identity {
        self.stapling(StapledResponse(bytes: bytes, nextUpdate: nextUpdate))
    }
}
