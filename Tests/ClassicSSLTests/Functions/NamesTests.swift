import ClassicSSL
import Testing

@Suite("§2 peername, sockname, port", .countsRules, .timeLimit(.minutes(5)))
struct NamesTests {
    @Test func `2 names 1: each end names the other`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair()
            #expect(try SSL.peername(pair.connected) == SSL.sockname(pair.accepted))
            #expect(try SSL.peername(pair.accepted) == SSL.sockname(pair.connected))
            #expect(try SSL.sockname(pair.accepted).address == [127, 0, 0, 1])
            #expect(try SSL.port(pair.accepted) == SSL.port(pair.listener))
            #expect(try SSL.port(pair.connected) == SSL.sockname(pair.connected).port)
        }
    }
}
