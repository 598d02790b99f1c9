import DevelopmentCertificates
import Foundation
import SecureSockets
import TestSupport
import Testing

/// Which servers a client refuses because of the OCSP response that they staple or do not staple.
@Suite(.timeLimit(.minutes(5))) struct `A server's stapled OCSP response` {
    private let server: StapledServer

    init() throws { self.server = try StapledServer() }

    private func meet(
        _ server: StapledServer, stapling response: [UInt8]?, over version: TLSProtocolVersion = .tls13,
        trust: (TLSTrust) throws -> TLSTrust = { $0 }
    ) async throws -> Encounter {
        try await Encounter(
            of: TLSClientConfiguration(trust: trust(server.trust), parameters: .init(version)),
            with: TLSServerConfiguration(identity: server.identity(stapling: response)))
    }

    private func expectAccepted(_ encounter: Encounter, sourceLocation: SourceLocation = #_sourceLocation) {
        if let error = encounter.clientFailure { Issue.record(error, sourceLocation: sourceLocation) }
    }

    private func expectRefused(
        _ encounter: Encounter, _ kind: CertificateProblem.Kind, alert: String, _ text: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        guard let error = encounter.clientFailure else {
            Issue.record("the client has accepted the server", sourceLocation: sourceLocation)
            return
        }
        #expect(error.code == .certificateVerificationFailed, sourceLocation: sourceLocation)
        #expect(error.certificateProblem?.kind == kind, sourceLocation: sourceLocation)
        #expect(error.certificateProblem?.depth == 0, sourceLocation: sourceLocation)
        #expect(
            error.description.splitAfterPeer.1 == "the peer's certificate (CN=Server) \(text)", sourceLocation: sourceLocation)
        #expect(encounter.serverRefusal?.alert?.description == alert, sourceLocation: sourceLocation)
    }

    // MARK: Statuses

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is accepted if it is good`(over version: TLSProtocolVersion) async throws {
        for mustStaple in [false, true] {
            let server = try StapledServer(mustStaple: mustStaple)
            self.expectAccepted(try await self.meet(server, stapling: server.response(), over: version))
        }
        self.expectAccepted(try await self.meet(self.server, stapling: nil, over: version))
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `refuses a revoked certificate like a revocation list`(over version: TLSProtocolVersion) async throws {
        let number = self.server.leaf.serialNumber.map { String(format: "%02X", $0) }.joined()
        let response = try self.server.response(.revoked(.of2024, .keyCompromise))
        self.expectRefused(
            try await self.meet(self.server, stapling: response, over: version), .revoked, alert: "certificate_revoked",
            "has been revoked (serial number \(number), on 2024-02-29 12:34:56 UTC, reason: keyCompromise (1)). "
                + "Have the peer obtain a new certificate, with a new key")
    }

    @Test func `refuses a revoked certificate also if it is outdated, or says good as well`() async throws {
        let outdated = try self.server.response(.revoked(.of2024)) { $0.entries[0].nextUpdate = .of2024 }
        let both = try self.server.response { draft in
            draft.entries.append(.init(serialNumber: self.server.leaf.serialNumber, .revoked(.of2024)))
        }
        for response in [outdated, both] {
            let error = try #require(await self.meet(self.server, stapling: response).clientFailure)
            #expect(error.certificateProblem?.kind == .revoked)
        }
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `is demanded by a certificate that requires it`(over version: TLSProtocolVersion) async throws {
        let server = try StapledServer(mustStaple: true)
        let advice = "Have the server staple a current response, or use a certificate without the TLS feature"
        self.expectRefused(
            try await self.meet(server, stapling: nil, over: version), .statusResponseMissing,
            alert: "bad_certificate_status_response",
            "requires a stapled OCSP response, and the server has sent none. \(advice)")
        // An error is not signed, and is the same as none.
        let error = OCSPResponseDraft.error(3)
        self.expectRefused(
            try await self.meet(server, stapling: error, over: version), .statusResponseMissing,
            alert: "bad_certificate_status_response",
            "requires a stapled OCSP response, and the server has sent its responder's error tryLater (3). \(advice)")
        self.expectAccepted(try await self.meet(self.server, stapling: error, over: version))
    }

    @Test func `is demanded by a TLS feature that cannot be decoded, but not by other features`() async throws {
        func identity(_ feature: ExtensionValue) throws -> TLSIdentity {
            let leaf = try TestSupport.server(by: self.server.root, names: [.address([127, 0, 0, 1])]) { $0.set(feature) }
            return try TLSIdentity(certificateChain: .text(leaf.pem), privateKey: .text(leaf.key.pem))
        }
        let broken = ExtensionValue("1.3.6.1.5.5.7.1.24", .octetString([5]))
        #expect(try await problem(with: identity(broken), trusting: self.server.trust)?.kind == .statusResponseMissing)
        let several = ExtensionValue.tlsFeatures(17, 5)
        #expect(try await problem(with: identity(several), trusting: self.server.trust)?.kind == .statusResponseMissing)
        #expect(try await problem(with: identity(.tlsFeatures(17)), trusting: self.server.trust) == nil)
    }

    // MARK: Faults

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let text: String
        let change: @Sendable (inout OCSPResponseDraft, StapledServer) throws -> Void

        init(
            _ description: String, _ text: String,
            _ change: @escaping @Sendable (inout OCSPResponseDraft, StapledServer) throws -> Void
        ) {
            (self.testDescription, self.text, self.change) = (description, text, change)
        }
    }

    static let rows: [Row] = [
        Row(
            "unknown certificate",
            "says that its responder does not know the certificate", { draft, _ in draft.entries[0].status = .unknown }),
        Row(
            "other serial number",
            "is about other certificates, or identifies this one by a hash other than SHA-1 and SHA-256",
            { draft, _ in draft.entries[0].serialNumber = [4, 7, 11] }),
        Row("no status", "is about other certificates", { draft, _ in draft.entries = [] }),
        Row(
            "other issuer of the same name", "is about other certificates",
            { draft, _ in draft.entries[0].issuer = try authority("Root") }),
        Row(
            "outdated", "is outdated (the next one was due on 2024-02-29 12:34:56 UTC)",
            { draft, _ in draft.entries[0].nextUpdate = .of2024 }),
        Row("no end", "does not say until when it is valid", { draft, _ in draft.entries[0].nextUpdate = nil }),
        Row(
            "from the future", "is from the future (",
            { draft, _ in draft.entries[0].thisUpdate = Date(timeIntervalSinceNow: 400) }),
        Row(
            "other key", "has a signature that is not its responder's",
            { draft, _ in draft.signingKey = try .p256() }),
        Row(
            "other authority of the same name",
            "is not signed by the certificate's issuer, nor by a responder that it has certified",
            { draft, _ in
                let other = try authority("Root")
                draft.responder = other
            }),
        Row(
            "responder of another authority",
            "is not signed by the certificate's issuer, nor by a responder that it has certified",
            { draft, server in draft.responder = try server.responder(by: authority("Root")) }),
        Row(
            "responder without its certificate",
            "is not signed by the certificate's issuer, nor by a responder that it has certified",
            { draft, server in
                draft.responder = try server.responder()
                draft.certificates = []
            }),
        Row(
            "server's certificate as responder",
            "is signed by a responder whose certificate is not for signing OCSP responses",
            { draft, server in draft.responder = server.leaf }),
        Row(
            "responder for every purpose",
            "is signed by a responder whose certificate is not for signing OCSP responses",
            { draft, server in draft.responder = try server.responder { $0.set(.extendedKeyUsage(.any)) } }),
        Row(
            "responder without a purpose",
            "is signed by a responder whose certificate is not for signing OCSP responses",
            { draft, server in draft.responder = try server.responder { $0.remove(ExtensionValue.extendedKeyUsageID) } }),
        Row(
            "responder whose key may not sign",
            "is signed by a responder whose certificate is not for signing OCSP responses",
            { draft, server in draft.responder = try server.responder { $0.set(.keyUsage(.keyAgreement)) } }),
        Row(
            "responder with an unknown critical extension",
            "is signed by a responder whose certificate has extensions that cannot be used",
            { draft, server in draft.responder = try server.responder { $0.set(.unknown.critical()) } }),
        Row(
            "expired responder", "is signed by a responder whose certificate has expired or is not valid yet",
            { draft, server in draft.responder = try server.responder { $0.validity = .expired } }),
        Row(
            "responder signed with SHA-1", "is signed by a responder whose certificate is signed with SHA-1",
            { draft, server in draft.responder = try server.responder { $0.signatureAlgorithm = .ecdsaSHA1 } }),
        Row(
            "SHA-1", "is signed with SHA-1, for which forgeries can be made",
            { draft, _ in draft.signatureAlgorithm = .ecdsaSHA1 }),
        Row(
            "other type", "is of the unknown type OID 1.3.6.1.4.1.55738.666.2",
            { draft, _ in draft.type = "1.3.6.1.4.1.55738.666.2" }),
        Row(
            "critical extension", "has the critical extension OID 1.3.6.1.4.1.55738.666.1, which is not supported",
            { draft, _ in draft.extensions = [.unknown.critical()] }),
        Row(
            "critical extension of a status",
            "has the critical extension OID 1.3.6.1.4.1.55738.666.1, which is not supported",
            { draft, _ in draft.entries[0].extensions = [.unknown.critical()] }),
    ]

    @Test(arguments: rows) func `with a fault is refused`(_ row: Row) async throws {
        let response = try self.server.response { try row.change(&$0, self.server) }
        let encounter = try await self.meet(self.server, stapling: response)
        let error = try #require(encounter.clientFailure)
        #expect(error.certificateProblem?.kind == .badStatusResponse)
        let text = error.description.splitAfterPeer.1
        let beginning = "the peer's certificate (CN=Server) is stapled with an OCSP response that \(row.text)"
        #expect(text.hasPrefix(beginning), "\(text)")
        #expect(encounter.serverRefusal?.alert?.description == "bad_certificate_status_response")
    }

    @Test(arguments: TLSProtocolVersion.allCases)
    func `that cannot be decoded is refused`(over version: TLSProtocolVersion) async throws {
        self.expectRefused(
            try await self.meet(self.server, stapling: [0x30, 0x03, 0x0a, 0x01, 0x00], over: version), .badStatusResponse,
            alert: "bad_certificate_status_response",
            "is stapled with an OCSP response that cannot be decoded. The server's operator has to correct this. "
                + "Obtain it again, in DER")
    }

    @Test func `may be ahead of the clock or behind it by a few minutes, and signed with SHA-1 where that is allowed`()
        async throws
    {
        let ahead = try self.server.response { $0.entries[0].thisUpdate = Date(timeIntervalSinceNow: 200) }
        self.expectAccepted(try await self.meet(self.server, stapling: ahead))
        func due(_ time: TimeInterval) throws -> [UInt8] {
            try self.server.response { $0.entries[0].nextUpdate = Date(timeIntervalSinceNow: time) }
        }
        self.expectAccepted(try await self.meet(self.server, stapling: due(-200)))
        let refused = try await self.meet(self.server, stapling: due(-400))
        #expect(refused.clientFailure?.certificateProblem?.kind == .badStatusResponse)
        let sha1 = try self.server.response { $0.signatureAlgorithm = .ecdsaSHA1 }
        self.expectAccepted(try await self.meet(self.server, stapling: sha1) { $0.allowing(.sha1Signatures) })
    }

    @Test func `is not looked at if the certificate is itself trusted, or nothing is verified`() async throws {
        let response = try self.server.response(.revoked(.of2024))
        let trust = try TLSTrust.only(.text(self.server.leaf.pem)).acceptingPartialChains
        self.expectAccepted(try await self.meet(self.server, stapling: response) { _ in trust })
        let encounter = try await Encounter(
            of: TLSClientConfiguration(verification: .dangerouslyNone),
            with: TLSServerConfiguration(identity: self.server.identity(stapling: response)))
        self.expectAccepted(encounter)
    }
}

extension Encounter {
    /// Why the client's handshake failed; nil if it is complete.
    fileprivate var clientFailure: SecureSocketError? {
        if case .failure(let error) = self.client { error } else { nil }
    }
}
