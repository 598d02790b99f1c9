import DevelopmentCertificates
import Foundation
import SecureSockets

/// The report of `tls certs dev`: the files, and commands to try next.
struct DevelopmentCertificatesReport: Report {
    static let event = "certificates"

    var directory: String
    var files: [DevelopmentCertificates.WrittenFile]
    var validity: Range<Date>
    var options: DevelopmentCertificates.Options
    var encrypted: Bool

    /// The report as text.
    var text: String {
        let width = self.files.map(\.path.count).max() ?? 0
        var lines = ["Wrote \(self.files.count) files:"]
        for file in self.files {
            let padding = String(repeating: " ", count: width - file.path.count)
            lines.append("  \(file.path)\(padding)  \(Self.meaning(of: file.role))")
        }
        lines.append("")
        let names = self.options.serverNames.joined(separator: ", ")
        lines.append("The server is \(names); valid from \(self.notBefore) to \(self.notAfter).")
        if let warning = self.warning { lines.append(warning) }
        lines.append("")
        lines.append("Try next:")
        lines += self.next.map { "  " + $0 }
        return lines.joined(separator: "\n")
    }

    /// Encodes the report as JSON.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(self.directory, forKey: .directory)
        try container.encode(
            self.files.map { File(path: $0.path, purpose: Self.meaning(of: $0.role), isPrivate: $0.role.isPrivate) },
            forKey: .files)
        try container.encode(self.options.serverNames, forKey: .names)
        try container.encode(self.notBefore, forKey: .notBefore)
        try container.encode(self.notAfter, forKey: .notAfter)
        try container.encode(self.options.key.rawValue, forKey: .key)
        try container.encode(self.encrypted, forKey: .encrypted)
        try container.encode(self.next, forKey: .next)
    }

    private enum Key: CodingKey { case directory, files, names, notBefore, notAfter, key, encrypted, next }

    private struct File: Encodable {
        var path: String
        var purpose: String
        var isPrivate: Bool
    }

    /// Three commands to try: a server, curl as a client, and this tool's client.
    private var next: [String] {
        let server = self.path(.server)
        let key = self.path(.serverKey)
        let authority = self.path(.authority)
        let host = self.host
        // An invented name is in no name server.
        let resolve = host == "localhost" || self.isAddress(host) ? "" : "--resolve \(host):8443:127.0.0.1 "
        return [
            "tls serve 8443 --cert \(server) --key \(key)" + (self.encrypted ? " --password PASSWORD" : ""),
            "curl --cacert \(authority) \(resolve)https://\(host):8443/",
            "tls connect \(host):8443 --ca \(authority)",
        ]
    }

    /// The host name for the commands: one of the server's names or, with an intentionally wrong name, the correct one.
    private var host: String {
        let names = self.options.faults.contains(.wrongName) ? ["localhost"] : self.options.serverNames
        guard let first = names.first(where: { $0 == "localhost" }) ?? names.first else { return "localhost" }
        if first.hasPrefix("*.") { return "www" + first.dropFirst() }
        return first.contains(":") ? "[\(first)]" : first
    }

    private func isAddress(_ host: String) -> Bool {
        host.hasPrefix("[") || host.split(separator: ".").allSatisfy { UInt8($0) != nil }
    }

    private var warning: String? {
        let reasons = [
            (DevelopmentCertificates.Options.Fault.expired, "has expired"),
            (.notYetValid, "is not valid yet"),
            (.wrongName, "names another host"),
        ].filter { self.options.faults.contains($0.0) }.map(\.1)
        if reasons.isEmpty { return nil }
        return "Clients must refuse this certificate: it \(reasons.joined(separator: " and "))."
    }

    private var notBefore: String { self.validity.lowerBound.formatted(.iso8601) }
    private var notAfter: String { self.validity.upperBound.formatted(.iso8601) }

    private func path(_ role: DevelopmentCertificates.WrittenFile.Role) -> String {
        ShellWord.quoted(DevelopmentCertificates.path(of: role, in: self.directory))
    }

    private static func meaning(of role: DevelopmentCertificates.WrittenFile.Role) -> String {
        switch role {
        case .authority: "the authority, for peers to trust"
        case .authorityKey: "the authority's key; keep it on this machine"
        case .server: "the server's certificate and the chain above it"
        case .serverKey: "the server's key"
        case .client: "a client's certificate, for servers that request one"
        case .clientKey: "the client's key"
        }
    }
}
