import SecureSockets
import TLSEngine

extension SSL.Options {
    /// Loads the files that `connect` needs.
    func clientConfiguration() throws(SecureSocketError) -> TLSClientConfiguration {
        try TLSClientConfiguration(
            settings: self.settings(.client), verification: self.verify == 0 ? .dangerouslyNone : .dangerouslyWithoutHostName)
    }

    /// Loads the files that `listen` needs.
    func serverConfiguration() throws(SecureSocketError) -> TLSServerConfiguration {
        try TLSServerConfiguration(settings: self.settings(.server))
    }

    /// The order determines which of several faults is reported: trust, certificate, key, mismatch, cipher suites.
    private func settings(_ role: TLSSettings.Role) throws(SecureSocketError) -> TLSSettings {
        var settings = TLSSettings(role: role)
        if let cacertfile {
            settings.trust = try TLSTrust.only(.file(cacertfile)).load()
        } else if self.verify > 0 {
            settings.trust = try TLSTrust.system.load()
        }
        settings.identity = try self.identity()
        settings.verification =
            switch (self.verify, role) {
            case (0, _): .none
            case (1, .server): .ifGiven
            default: .required
            }
        settings.depth = self.depth
        settings.cipherSuites = self.ciphers.map { .lenient($0) } ?? .library
        if let cachetimeout {
            settings.sessionLifetime = cachetimeout == 0 ? .none : .seconds(UInt32(clamping: cachetimeout))
        }
        return settings
    }

    /// A key without a certificate is permitted, and is loaded as well.
    private func identity() throws(SecureSocketError) -> Identity? {
        guard let key = self.keyfile ?? self.certfile else { return nil }
        do {
            return try Identity(
                chain: self.certfile.map { .file(path: $0) }, privateKey: .file(path: key), password: self.password)
        } catch {
            throw SecureSocketError(error)
        }
    }
}
