import Foundation
import SecureSockets
import TLSEngine

/// The properties of a connection, for text and JSON.
struct ConnectionReport: Encodable, Sendable {
    struct Certificate: Encodable, Sendable {
        var subject: String
        var issuer: String
        var names: [String]
        var notBefore: String?
        var notAfter: String?

        init(_ certificate: SecureSockets.TLSCertificate) {
            self.subject = certificate.subject
            self.issuer = certificate.issuer
            self.names = certificate.dnsNames + certificate.ipAddresses
            self.notBefore = certificate.notBefore.map(Self.date)
            self.notAfter = certificate.notAfter.map(Self.date)
        }

        private static func date(_ seconds: Int64) -> String {
            Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
        }
    }

    var localAddress: String?
    var remoteAddress: String?
    var version: String
    var cipher: String
    var group: String?
    var applicationProtocol: String?
    var serverName: String?
    var isResumed: Bool
    /// The name of the reason; nil if a session was resumed.
    var fullHandshakeReason: String?
    /// The explanation of the reason, if a session was offered.
    private var declined: String?
    var verifiedChainLength: Int?
    var certificates: [Certificate]

    private enum CodingKeys: CodingKey {
        case localAddress, remoteAddress, version, cipher, group, applicationProtocol, serverName, isResumed, fullHandshakeReason
        case verifiedChainLength, certificates
    }

    init(_ socket: SecureSocket) {
        let information = socket.information
        self.localAddress = socket.localEndpoint?.description
        self.remoteAddress = socket.remoteEndpoint?.description
        self.version = information.version.description
        self.cipher = information.cipherSuite.description
        self.group = information.group?.description
        self.applicationProtocol = information.applicationProtocol
        self.serverName = information.serverName
        self.isResumed = information.isResumed
        self.fullHandshakeReason = information.fullHandshakeReason?.description
        if information.resumption == .declined { self.declined = information.fullHandshakeReason?.explanation }
        self.verifiedChainLength = information.verifiedChainLength
        self.certificates = information.peerCertificates.map(Certificate.init)
    }

    /// The peer's address, or "the peer".
    var peer: String { self.remoteAddress ?? "the peer" }

    /// Returns a line for each known property.
    func lines(peer: String) -> [String] {
        var rows = [("version", self.version), ("cipher", self.cipher)]
        if let group { rows.append(("group", group)) }
        if let applicationProtocol { rows.append(("protocol", applicationProtocol)) }
        if let serverName { rows.append(("server name", serverName)) }
        if self.isResumed { rows.append(("resumed", "an earlier session")) }
        if let own = self.certificates.first {
            let names = own.names.isEmpty ? "" : " for " + own.names.joined(separator: ", ")
            rows.append((peer, own.subject + names))
            for issuer in self.issuers { rows.append(("issued by", issuer)) }
            if self.verifiedChainLength == nil {
                rows.append(("verified", "no"))
            } else if rows.count > 0 {
                rows[rows.count - 1].1 += ", which is trusted"
            }
        }
        if let notAfter = self.certificates.first?.notAfter { rows.append(("valid until", notAfter)) }
        return rows.map { name, value in name.padding(toLength: 13, withPad: " ", startingAt: 0) + value.escapedForDisplay }
    }

    /// The issuers of the chain, from the peer's own certificate upwards, as far as the chain was verified or, if it was not, sent.
    ///
    /// Other certificates that the peer sent, in whatever order, are not part of the chain.
    private var issuers: [String] {
        guard var current = self.certificates.first else { return [] }
        var issuers: [String] = []
        let most = self.verifiedChainLength.map { $0 - 1 } ?? self.certificates.count
        while issuers.count < most, current.issuer != current.subject {
            issuers.append(current.issuer)
            guard let next = self.certificates.first(where: { $0.subject == current.issuer }) else { break }
            current = next
        }
        return issuers
    }

    /// The main properties on one line.
    var summary: String {
        var parts = [self.version, self.cipher]
        if let group { parts.append(group) }
        if let applicationProtocol { parts.append("protocol \(applicationProtocol)") }
        if let serverName { parts.append("asked for \(serverName)") }
        if let certificate = self.certificates.first { parts.append("client \(certificate.subject)") }
        if self.isResumed { parts.append("resumed") }
        if let declined { parts.append("not resumed: \(declined)") }
        return parts.joined(separator: ", ").escapedForDisplay
    }
}
