package import Foundation

/// All a developer needs to try TLS on one machine: an authority, and a server and a client it vouches for.
///
/// What `tls certs dev` writes, see ``write(to:options:force:encryptKey:)``.
package struct DevelopmentCertificates: Sendable {
    /// What to make, and what to get wrong on purpose.
    package struct Options: Sendable {
        /// A certificate wrong on purpose, to see a peer refuse it.
        package enum Fault: Sendable, Hashable, CaseIterable {
            /// Server and client ended yesterday.
            case expired
            /// Server and client begin in thirty days.
            case notYetValid
            /// The server is called `wrong.example` and nothing else.
            case wrongName
        }

        /// The names the server's certificate is good for.
        package var names: [String]
        /// The kind of all keys.
        package var key: KeyKind
        /// What to get wrong.
        package var faults: Set<Fault>

        /// The names of this machine as it knows itself.
        package static let defaultNames = ["localhost", "127.0.0.1", "::1"]

        /// Options for ``DevelopmentCertificates``; each has the default most want.
        package init(
            names: [String] = Options.defaultNames,
            key: KeyKind = .p256,
            faults: Set<Fault> = []
        ) {
            self.names = names
            self.key = key
            self.faults = faults
        }

        /// The names the server's certificate will carry.
        package var serverNames: [String] { self.faults.contains(.wrongName) ? ["wrong.example"] : self.names }

        var leafValidity: Validity {
            if self.faults.contains(.expired) { return .expired }
            return self.faults.contains(.notYetValid) ? .notYetValid : .leaf
        }
    }

    /// The authority peers are told to trust.
    package let authority: CertificateAuthority
    /// The server's certificate and key.
    package let server: CertifiedKey
    /// The client's certificate and key, for servers that ask for one.
    package let client: CertifiedKey

    /// Makes the three, in memory.
    package init(_ options: Options = Options()) throws(DevelopmentCertificateError) {
        let leaf = options.leafValidity
        var validity = Validity.authority
        // Whoever sets the clock back to see the leaf work needs an authority that is as old.
        validity.notBefore = min(validity.notBefore, leaf.notBefore)

        // Two authorities of one name confuse trust stores that hold both.
        let tag = String(UInt32.random(in: .min ... .max), radix: 16)
        self.authority = try .root(commonName: "Development authority \(tag)", key: options.key, validity: validity)
        let names = options.serverNames
        let commonName = names.first { $0.unicodeScalars.count <= 64 } ?? "Development server"
        self.server = try self.authority.issue(
            commonName: commonName, names: names, purposes: [.server], key: options.key, validity: leaf)
        self.client = try self.authority.issue(
            commonName: "Development client", purposes: [.client], key: options.key, validity: leaf)
    }

    /// When the server's and the client's certificates are valid.
    package var validity: Range<Date> { self.server.certificate.validity.notBefore..<self.server.certificate.validity.notAfter }
}
