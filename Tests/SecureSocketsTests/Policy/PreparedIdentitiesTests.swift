import SecureSocketsTesting
import TLSEngine
import Testing

@testable import SecureSockets

/// The identities that a program has selected, which are kept prepared.
@Suite struct `Selected identities` {
    private let authority: DevelopmentAuthority

    init() throws { self.authority = try DevelopmentAuthority() }

    private func identity(_ name: String) throws -> Identity { try self.authority.server(names: [name]).identity.identity }

    @Test func `are set up once, and the least recently used one is removed`() throws {
        let prepared = PreparedIdentities(TLSSettings(role: .server), capacity: 2)
        let (a, b, c) = (try self.identity("a"), try self.identity("b"), try self.identity("c"))
        let (first, second) = (try prepared.context(of: a), try prepared.context(of: b))
        #expect(try prepared.context(of: a) === first)
        // `b` was used longest ago.
        let third = try prepared.context(of: c)
        #expect(try prepared.context(of: a) === first)
        #expect(try prepared.context(of: c) === third)
        #expect(try prepared.context(of: b) !== second)
    }

    @Test func `must be at least one`() throws {
        let error = #expect(throws: SecureSocketError.self) {
            _ = try TLSServerConfiguration(
                identities: [ServerIdentity(self.authority.server().identity)], selectIdentity: { _ in nil },
                preparedIdentities: 0)
        }
        #expect(error?.code == .invalidArgument)
    }
}
