import DevelopmentCertificates
import TestSupport
import Testing

@testable import ClassicSSL
@testable import SecureSockets
@testable import TLSEngine

@Suite("§6.2 Reasons: the peer's certificate", .countsRules, .timeLimit(.minutes(5)))
struct CertificateReasonsTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let reason: SSL.Reason
        let testDescription: String
        /// The options of the end that shows its certificate.
        let identity: @Sendable (CertificateFiles) throws -> [SSL.Option]

        init(_ reason: SSL.Reason, _ what: String, _ identity: @escaping @Sendable (CertificateFiles) throws -> [SSL.Option]) {
            self.reason = reason
            self.testDescription = "\(reason): \(what)"
            self.identity = identity
        }
    }

    static let cases: [Case] = [
        Case(.epeercertexpired, "expired") { try $0.identity(try CertificateFiles.leaf(of: $0.authority, validity: .expired)) },
        Case(.epeercertinvalid, "not valid yet") {
            try $0.identity(try CertificateFiles.leaf(of: $0.authority, validity: .notYetValid))
        },
        Case(.eselfsignedcert, "the certificate itself") { try $0.identity(try CertifiedKey.selfSigned()) },
        Case(.eselfsignedcert, "an untrusted root, which was sent") { files in
            let key = try CertificateFiles.leaf(of: files.stranger)
            return try files.identity(key, chain: key.certificatePEM + files.stranger.certificatePEM)
        },
        Case(.enoissuercert, "an issuer that is not known") { try $0.identity(try CertificateFiles.leaf(of: $0.stranger)) },
        Case(.enoissuercert, "an intermediate that was not sent") {
            let key = try CertificateFiles.leaf(of: try $0.authority.intermediate())
            return try $0.identity(key, chain: key.certificatePEM)
        },
        Case(.echaintoolong, "an intermediate more than the depth allows") {
            try $0.identity(try CertificateFiles.leaf(of: try $0.authority.intermediate()))
        },
        Case(.epeercert, "an issuer below a path length of 0") {
            let authority = try $0.authority.intermediate(commonName: "Upper", pathLength: 0).intermediate(commonName: "Lower")
            return try $0.identity(try CertificateFiles.leaf(of: authority))
        },
        // §6.2, last paragraph: several faults.
        Case(.enoissuercert, "no trusted end comes before the dates") {
            try $0.identity(try CertificateFiles.leaf(of: $0.stranger, validity: .expired))
        },
        Case(.epeercertexpired, "the dates come before the length") {
            try $0.identity(try CertificateFiles.leaf(of: try $0.authority.intermediate(), validity: .expired))
        },
        Case(.enoissuercert, "no trusted end comes before the length") {
            try $0.identity(try CertificateFiles.leaf(of: try $0.stranger.intermediate().intermediate()))
        },
    ]

    @Test(arguments: Self.cases, [true, false])
    func `6_2: a certificate that is refused`(_ bad: Case, _ isServers: Bool) async throws {
        let files = try CertificateFiles.shared
        let (identity, verifier) = (try bad.identity(files), [SSL.Option.verify(2), .cacertfile(files.ca)])
        let meeting =
            try await
            (isServers
            ? Meeting(listen: identity, connect: verifier)
            : Meeting(listen: files.server + verifier, connect: identity))
        #expect((isServers ? meeting.client : meeting.server) == bad.reason)
        // §6.3, the rejected side: an alert.
        #expect((isServers ? meeting.server : meeting.client) == .esslerrssl)
    }

    @Test(arguments: [true, false])
    func `6_2: epeercert for the wrong purpose`(_ isServers: Bool) async throws {
        let files = try CertificateFiles.shared
        let key = try CertificateFiles.leaf(of: files.authority, purposes: isServers ? [.client] : [.server])
        let verifier = [SSL.Option.verify(2), .cacertfile(files.ca)]
        let meeting =
            try await
            (isServers
            ? Meeting(listen: files.identity(key), connect: verifier)
            : Meeting(listen: files.server + verifier, connect: files.identity(key)))
        #expect((isServers ? meeting.client : meeting.server) == .epeercert)
    }

    @Test func `6_2: epeercert for a signature that is not the issuer's`() async throws {
        let files = try CertificateFiles.shared
        let forged = try OddCertificate.forged(of: files.authority, purpose: .server)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: forged), socketOptions: .patient, options: .patient)
        async let accepted = try? listener.accept(timeout: Encounter.patience)
        await #expect(throws: SSL.Reason.epeercert) {
            try await SSL.connect(
                "127.0.0.1", listener.localEndpoint.port, [.verify(1), .cacertfile(files.ca)], patience)
        }
        _ = await accepted
    }

    @Test(arguments: [
        (["enoissuercert"], [2, 20, 21]), (["epeercertexpired"], [10]), (["epeercertinvalid"], [9, 13, 14]),
        (["eselfsignedcert"], [18, 19]), (["echaintoolong"], [22]), (["enomem"], [17]),
        (["epeercert"], [7, 23, 24, 25, 26, 27, 28, 34] + Array(47...53) + Array(62...64)),
    ])
    func `6_2: the library's codes and their reasons`(_ reason: [String], _ codes: [Int]) {
        for code in codes {
            let refusal = CertificateRefusal(
                code: Int32(code), depth: 0, certificate: nil, expectedName: nil, depthLimit: nil)
            #expect([SSL.Reason(CertificateProblem(refusal)).atom] == reason, "\(code)")
        }
    }
}
