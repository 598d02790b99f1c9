package import Foundation

/// Everything needed to try TLS on one machine: an authority, and the server and client certificates that it has issued.
///
/// What `tls certs dev` writes, see ``write(to:options:force:encryptKey:)``.
package struct DevelopmentCertificates: Sendable {
    /// The contents of the certificates, and deliberate faults.
    package struct Options: Sendable {
        /// A deliberate fault in a certificate, to see a peer refuse it.
        package enum Fault: Sendable, Hashable, CaseIterable {
            /// The server's and the client's certificate expired yesterday.
            case expired
            /// The server's and the client's certificate become valid in thirty days.
            case notYetValid
            /// The server's certificate is for `wrong.example` only.
            case wrongName
        }

        /// The names in the server's certificate.
        package var names: [String]
        /// The kind of all keys.
        package var key: KeyKind
        /// The deliberate fault.
        package var faults: Set<Fault>

        /// The names of this machine according to its own configuration.
        package static let defaultNames = ["localhost", "127.0.0.1", "::1"]

        /// Creates options for ``DevelopmentCertificates``.
        package init(
            names: [String] = Options.defaultNames,
            key: KeyKind = .p256,
            faults: Set<Fault> = []
        ) {
            self.names = names
            self.key = key
            self.faults = faults
        }

        /// The names that the server's certificate will contain.
        package var serverNames: [String] { self.faults.contains(.wrongName) ? ["wrong.example"] : self.names }

        var leafValidity: Validity {
            if self.faults.contains(.expired) { return .expired }
            return self.faults.contains(.notYetValid) ? .notYetValid : .leaf
        }
    }

    /// The authority, to be trusted by peers.
    package let authority: CertificateAuthority
    /// The server's certificate and key.
    package let server: CertifiedKey
    /// The client's certificate and key, for servers that request one.
    package let client: CertifiedKey

    /// Creates the authority and both certificates in memory.
    package init(_ options: Options = Options()) throws(DevelopmentCertificateError) {
        let leaf = options.leafValidity
        var validity = Validity.authority
        // If the clock is set back to try an expired leaf, the authority must already be valid as well.
        validity.notBefore = min(validity.notBefore, leaf.notBefore)

        // Trust stores that hold two authorities with the same name confuse them.
        let tag = String(UInt32.random(in: .min ... .max), radix: 16)
        self.authority = try .root(commonName: "Development authority \(tag)", key: options.key, validity: validity)
        let names = options.serverNames
        let commonName = names.first { $0.unicodeScalars.count <= 64 } ?? "Development server"
        self.server = try self.authority.issue(
            commonName: commonName, names: names, purposes: [.server], key: options.key, validity: leaf)
        self.client = try self.authority.issue(
            commonName: "Development client", purposes: [.client], key: options.key, validity: leaf)
    }

    /// The validity of the server's and the client's certificates.
    package var validity: Range<Date> { self.server.certificate.validity.notBefore..<self.server.certificate.validity.notAfter }
}
