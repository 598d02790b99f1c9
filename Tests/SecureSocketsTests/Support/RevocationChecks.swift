import DevelopmentCertificates
import Foundation
import SecureSockets
import TestSupport

extension RevocationLists {
    init(_ lists: SignedRevocationList...) throws { try self.init(derBytes: lists.map(\.der)) }
}

extension CertificateAuthority {
    /// Returns a list with these certificates, which is valid now.
    func list(revoking revoked: [CertifiedKey] = [], reason: RevocationReason? = nil) throws -> SignedRevocationList {
        try self.revocationList(
            revoking: revoked.map {
                .init(serialNumber: $0.certificate.serialNumber, date: .of2024, reason: reason)
            })
    }

    /// Returns a list without certificates, which is valid now except for `change`.
    func list(change: (inout RevocationListDraft) throws -> Void) throws -> SignedRevocationList {
        var draft = RevocationListDraft(thisUpdate: Date(), nextUpdate: Date(timeIntervalSinceNow: .day))
        try change(&draft)
        return try draft.signed(by: self.issued)
    }

    /// Returns a certificate for 127.0.0.1.
    func server(_ name: String = "server") throws -> CertifiedKey {
        try self.issue(commonName: name, names: ["127.0.0.1"], purposes: [.server])
    }
}

extension Date {
    /// 2024-02-29 12:34:56 UTC.
    static let of2024 = Date(timeIntervalSince1970: 1_709_210_096)
}

extension TimeInterval {
    static let day = 86_400.0
}

/// Returns the problem that a client finds with a server's certificate; nil if it accepts it.
func problem(with server: CertifiedKey, trusting trust: TLSTrust) async throws -> CertificateProblem? {
    try await problem(with: TLSIdentity(server), trusting: trust)
}

func problem(with server: TLSIdentity, trusting trust: TLSTrust) async throws -> CertificateProblem? {
    let encounter = try await Encounter(
        of: TLSClientConfiguration(trust: trust), with: TLSServerConfiguration(identity: server))
    switch encounter.client {
    case .success: return nil
    case .failure(let error):
        guard let problem = error.certificateProblem else { throw error }
        return problem
    }
}
