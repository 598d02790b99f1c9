internal import CNIOBoringSSL

/// A request for a client certificate (RFC 8446 §4.3.2), and the client's answer.
package struct CertificateRequest: Sendable, Hashable {
    /// The distinguished names of the authorities that the server names, at most `longestList` of them. Empty if it names none.
    package let authorities: [String]
    /// The number of authorities that the server names.
    package let authorityCount: Int
    /// The subject of the certificate that the client sent; nil if it sent none.
    package let shownSubject: String?

    package init(authorities: [String], authorityCount: Int, shownSubject: String?) {
        self.authorities = authorities
        self.authorityCount = authorityCount
        self.shownSubject = shownSubject
    }

    /// The number of names that a message quotes.
    static let longestList = 4
}

/// A server's request as a client keeps it until its connection fails. The names stay encoded and are decoded only then.
struct ReceivedCertificateRequest {
    fileprivate let encodedAuthorities: [[UInt8]]
    fileprivate let authorityCount: Int
    /// The algorithms with which the client may sign, at most `longestList` of them.
    let signatureAlgorithms: [UInt16]

    /// Twice as many as any server is known to list.
    private static let longestList = 64

    fileprivate init(of ssl: OpaquePointer) {
        var start: UnsafePointer<UInt16>?
        let count = SSL_get0_peer_verify_algorithms(ssl, &start)
        self.signatureAlgorithms = Array(UnsafeBufferPointer(start: start, count: min(count, Self.longestList)))
        guard let names = SSL_get0_server_requested_CAs(ssl) else {
            (self.encodedAuthorities, self.authorityCount) = ([], 0)
            return
        }
        self.authorityCount = sk_CRYPTO_BUFFER_num(names)
        self.encodedAuthorities = (0..<min(self.authorityCount, CertificateRequest.longestList)).compactMap { index in
            sk_CRYPTO_BUFFER_value(names, index).flatMap { name in
                CRYPTO_BUFFER_data(name).map { Array(UnsafeBufferPointer(start: $0, count: CRYPTO_BUFFER_len(name))) }
            }
        }
    }

    /// Returns the request, answered with the certificate of `identity`.
    func answered(with identity: Identity?) -> CertificateRequest {
        CertificateRequest(
            authorities: self.encodedAuthorities.compactMap(distinguishedName(encoded:)), authorityCount: self.authorityCount,
            shownSubject: identity?.key == nil ? nil : identity?.certificates.first?.subject)
    }
}

extension CertificateRequest {
    /// A server's own request, which the client has answered without a certificate.
    init(of trust: TrustStore?) {
        let authorities = trust?.authoritiesToName ?? []
        self.init(
            authorities: authorities.prefix(Self.longestList).map { distinguishedName(X509_get_subject_name($0)) },
            authorityCount: authorities.count, shownSubject: nil)
    }
}

/// Records that the server requests a certificate. BoringSSL calls this only on such a request.
func noteCertificateRequest(ssl: OpaquePointer?, argument: UnsafeMutableRawPointer?) -> Int32 {
    if let ssl, let engine = TLSEngine.of(ssl) { engine.certificateRequest = ReceivedCertificateRequest(of: ssl) }
    return 1
}
