import DevelopmentCertificates
import Testing

@testable import TLSEngine

@Suite struct `Settings that are loaded again` {
    private final class Value: Sendable {}

    @Test func `share trusted certificates and revocation lists that have not changed`() throws {
        let (one, two) = (try CertificateAuthority.root(commonName: "one"), try CertificateAuthority.root(commonName: "two"))
        func trust(_ authorities: CertificateAuthority...) throws -> TrustStore {
            try TrustStore.joining(authorities.map { try TrustStore(.bytes(Array($0.certificatePEM.utf8))) })
        }
        let trusted = [try trust(one), try trust(one, two), try trust(two)]
        #expect(try trust(one) === trusted[0])
        #expect(try trust(one, two) === trusted[1])
        #expect(try trust(two, one) !== trusted[1])
        #expect(trusted[0] !== trusted[2])

        let lists = [try one.revocationList(number: 1).der, try two.revocationList(number: 1).der]
        let renewed = try one.revocationList(number: 2).der
        let store = try RevocationListStore(der: lists)
        let later = try RevocationListStore(der: [renewed, lists[1]])
        #expect(store.lists[0] !== later.lists[0])
        #expect(store.lists[1] === later.lists[1])
    }

    @Test func `keep nothing that is not in use`() {
        let values = SharedValues<Int, Value>()
        let kept = Value()
        #expect(values.shared(kept, for: 0) === kept)
        for key in 1...10_000 { _ = values.shared(Value(), for: key) }
        #expect(values.count <= 64)
        #expect(values.shared(Value(), for: 0) === kept)
        let other = Value()
        #expect(values.shared(other, for: 1) === other)
    }
}
