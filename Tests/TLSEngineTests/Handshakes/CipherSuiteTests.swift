import SecureSockets
import SecureSocketsTesting
import TLSEngine
import TestSupport
import Testing

@Suite struct `TLS 1_2 suites` {
    private func settings(_ role: TLSSettings.Role, _ cipherSuites: TLSSettings.CipherSuiteSelection) throws -> TLSSettings {
        let certificates = try TestCertificates.shared.get()
        var settings = TLSSettings(role: role)
        settings.cipherSuites = cipherSuites
        settings.versions = .v1_2 ... .v1_2
        if role == .server { settings.identity = certificates.server.identity.identity }
        return settings
    }

    private func meet(_ client: TLSSettings.CipherSuiteSelection, _ server: TLSSettings.CipherSuiteSelection) throws -> String? {
        let pair = EnginePair(
            client: try TLSEngine(client: TLSContext(self.settings(.client, client)), serverName: nil, expecting: nil),
            server: try TLSEngine(server: TLSContext(self.settings(.server, server))))
        pair.shakeHands()
        return pair.server.negotiated.map { TLSNames.cipherSuite($0.cipherSuite) }
    }

    @Test func `are those with ephemeral keys and authenticated encryption by default`() throws {
        let suites = try TLSContext(self.settings(.client, .forwardSecretAEAD)).cipherSuites
        #expect(
            Set(suites) == [
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            ])
        let all = try TLSContext(self.settings(.client, .library)).cipherSuites
        #expect(all.contains("TLS_RSA_WITH_AES_128_CBC_SHA"))
        // In the library's order, which depends on the processor.
        #expect(suites == all.filter { suites.contains($0) })
    }

    @Test func `of the old kind are taken only from a list`() throws {
        let old = TLSSettings.CipherSuiteSelection.strict("ECDHE-ECDSA-AES128-SHA")
        #expect(try self.meet(old, .forwardSecretAEAD) == nil)
        #expect(try self.meet(old, .library) == "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA")
        #expect(try self.meet(old, old) == "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA")
    }

    @Test func `are chosen in the order of the server's list, if it has one`() throws {
        let names = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"]
        let backwards = TLSSettings.CipherSuiteSelection.strict(names.reversed().joined(separator: ":"))
        let forwards = names.joined(separator: ":")
        #expect(try self.meet(backwards, .strict(forwards)) == "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384")
        #expect(try self.meet(backwards, .lenient("NONSENSE:" + forwards)) == "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384")
        // Without one the client's order counts.
        #expect(try self.meet(backwards, .forwardSecretAEAD) == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
    }
}
