package import DevelopmentCertificates
import Foundation
package import SecureSockets
import TLSEngine

/// A root, a server's certificate for 127.0.0.1 that it has issued, and OCSP responses about it.
package struct StapledServer: Sendable {
    package let root: IssuedCertificate
    package let leaf: IssuedCertificate

    /// - Parameter mustStaple: Whether the certificate requires a stapled response (RFC 7633).
    package init(mustStaple: Bool = false, rootKey: CertificateKey? = nil) throws {
        self.root = try authority("Root", key: rootKey)
        self.leaf = try server(by: self.root, names: [.address([127, 0, 0, 1]), .dns("localhost")]) { draft in
            if mustStaple { draft.set(.tlsFeatures(5)) }
        }
    }

    /// Without a response.
    package var identity: TLSIdentity {
        get throws { try TLSIdentity(certificateChain: .text(self.leaf.pem), privateKey: .text(self.leaf.key.pem)) }
    }

    /// With a response that was not checked.
    package func identity(stapling response: [UInt8]?) throws -> TLSIdentity {
        guard let response else { return try self.identity }
        return TLSIdentity(try self.identity.identity.stapling(unchecked: response))
    }

    package var trust: TLSTrust { get throws { try .only(.text(self.root.pem)) } }

    /// Returns a response of the root about the certificate.
    package func response(
        _ status: OCSPResponseDraft.Status = .good, change: (inout OCSPResponseDraft) throws -> Void = { _ in }
    ) throws -> [UInt8] {
        var draft = OCSPResponseDraft([.init(serialNumber: self.leaf.serialNumber, status)])
        try change(&draft)
        return try draft.signed(for: self.root)
    }

    /// Returns a responder that the root has certified.
    package func responder(
        key: CertificateKey? = nil, by issuer: IssuedCertificate? = nil,
        change: (inout CertificateDraft) throws -> Void = { _ in }
    ) throws -> IssuedCertificate {
        var draft = CertificateDraft(subject: .name("Responder"), validity: .current)
        draft.set(.keyUsage(.digitalSignature))
        draft.set(.extendedKeyUsage(.ocspSigning))
        try change(&draft)
        return try draft.signed(for: key ?? .p256(), by: issuer ?? self.root)
    }
}
