import DevelopmentCertificates
import Foundation
import TLSEngine
import TestSupport
import Testing

/// What is decoded, and what is not. The issuer is in the chain, so that signatures are verified.
@Suite struct `An OCSP response` {
    private let server: StapledServer
    private let identity: Identity

    init() throws {
        self.server = try StapledServer()
        let chain = self.server.leaf.pem + self.server.root.pem
        self.identity = try Identity(
            chain: .bytes(Array(chain.utf8)), privateKey: .bytes(Array(self.server.leaf.key.pem.utf8)), password: nil)
    }

    private func isAccepted(_ response: [UInt8]) -> Bool { (try? self.identity.stapling(.bytes(response))) != nil }

    private func fault(of response: [UInt8]) throws -> OCSPResponseFault? {
        do throws(CredentialError) {
            _ = try self.identity.stapling(.bytes(response))
            return nil
        } catch {
            guard case .unusableResponse(let fault, _) = error.problem else { throw error }
            return fault
        }
    }

    /// With everything that is optional.
    private func fullResponse() throws -> [UInt8] {
        let responder = try self.server.responder()
        return try self.server.response { draft in
            draft.responder = responder
            draft.responderID = .name
            draft.extensions = [.unknown]
            draft.entries[0].extensions = [.unknown]
            draft.entries.append(.init(serialNumber: [1], .revoked(.init(timeIntervalSince1970: 0), .keyCompromise)))
        }
    }

    @Test func `is refused wherever it is cut off`() throws {
        for response in try [self.server.response(), self.fullResponse()] {
            #expect(self.isAccepted(response))
            for length in 0..<response.count { #expect(!self.isAccepted(Array(response.prefix(length))), "\(length) bytes") }
            #expect(try self.fault(of: response + [0]) == .malformed)
        }
    }

    @Test func `is refused if any bit of it is changed`() throws {
        let response = try self.server.response()
        for index in response.indices {
            for bit in 0..<8 {
                var changed = response
                changed[index] ^= 1 << bit
                #expect(!self.isAccepted(changed), "bit \(bit) of byte \(index)")
            }
        }
    }

    @Test func `of any bytes is refused without a trap`() throws {
        let response = try self.fullResponse()
        var random = SeededGenerator(seed: 6960)
        for _ in 0..<5000 {
            var changed = response
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                changed[Int.random(in: changed.indices, using: &random)] = .random(in: .min ... .max, using: &random)
            }
            let start = Int.random(in: changed.indices, using: &random)
            changed.removeSubrange(start..<Int.random(in: start...min(start + 4, changed.count), using: &random))
            _ = self.isAccepted(changed)
        }
    }

    @Test func `has at most 64 KiB, and only sixteen statuses are read`() throws {
        let long = [UInt8](repeating: 0x30, count: 65_537)
        #expect(try self.fault(of: long) == .tooLong(limit: 65_536))
        func response(at index: Int) throws -> [UInt8] {
            try self.server.response { draft in
                let others = (0..<index).map { OCSPResponseDraft.Entry(serialNumber: [2, UInt8($0)], .good) }
                draft.entries = others + draft.entries
            }
        }
        #expect(try self.fault(of: response(at: 15)) == nil)
        #expect(try self.fault(of: response(at: 16)) == .otherCertificate)
    }

    @Test func `may have the responder's certificate among the first four`() throws {
        let responder = try self.server.responder()
        let other = try self.server.responder()
        func response(others: Int) throws -> [UInt8] {
            try self.server.response { draft in
                draft.responder = responder
                draft.certificates = Array(repeating: other, count: others) + [responder]
            }
        }
        #expect(try self.fault(of: response(others: 3)) == nil)
        #expect(try self.fault(of: response(others: 4)) == .responderUnknown)
    }

    @Test(arguments: [SignatureAlgorithm.rsaSHA256, .rsaPSS])
    func `may be signed with RSA`(algorithm: SignatureAlgorithm) throws {
        let responder = try self.server.responder(key: .rsa(bits: 2048, number: 0))
        let response = try self.server.response { draft in
            draft.responder = responder
            draft.signatureAlgorithm = algorithm
        }
        #expect(try self.fault(of: response) == nil)
    }

    @Test(arguments: [CertificateKey.Algorithm.p384, .p521, .ed25519])
    func `may be signed with a larger curve or Ed25519`(algorithm: CertificateKey.Algorithm) throws {
        let responder = try self.server.responder(key: CertificateKey(algorithm))
        let response = try self.server.response { $0.responder = responder }
        #expect(try self.fault(of: response) == nil)
    }

    @Test(arguments: OCSPResponseDraft.Hash.allCases)
    func `identifies the certificate by either hash`(hash: OCSPResponseDraft.Hash) throws {
        #expect(try self.fault(of: self.server.response { $0.entries[0].hash = hash }) == nil)
        let other = try authority("Root")
        let response = try self.server.response { draft in
            draft.entries[0].hash = hash
            draft.entries[0].issuer = other
        }
        #expect(try self.fault(of: response) == .otherCertificate)
    }

    @Test func `of a weak responder is refused`() throws {
        let responder = try self.server.responder(key: .rsa(bits: 1024, number: 0))
        let response = try self.server.response { $0.responder = responder }
        #expect(try self.fault(of: response) == .responderWeak(.rsaKey(bits: 1024)))
        #expect(
            (try? self.identity.stapling(.bytes(response), allowing: .rsaKeysUnder2048Bits)) != nil)
    }
}
