import NIOCore
import Synchronization
import TLSEngine

/// The contexts of identities that a program has selected, so that each is set up once. At most `capacity` are kept; the least recently used
/// one is removed first.
final class PreparedIdentities: Sendable {
    private struct Prepared {
        /// Kept, so that no other identity has its address.
        let identity: Identity
        let context: TLSContext
        var lastUse: UInt64
    }

    private struct State {
        var prepared: [ObjectIdentifier: Prepared] = [:]
        var uses: UInt64 = 0

        mutating func context(of identity: Identity) -> TLSContext? {
            self.uses += 1
            self.prepared[ObjectIdentifier(identity)]?.lastUse = self.uses
            return self.prepared[ObjectIdentifier(identity)]?.context
        }
    }

    private let capacity: Int
    /// The settings of the server, without an identity.
    private let settings: TLSSettings
    private let state = Mutex(State())

    init(_ settings: TLSSettings, capacity: Int) {
        self.settings = settings
        self.capacity = capacity
    }

    /// Returns the program's function in the engine's terms.
    func selector(_ select: @escaping @Sendable (ClientHello) async throws -> TLSIdentity?) -> IdentitySelector {
        { hello, address in
            do {
                guard let identity = try await select(ClientHello(hello, from: address)) else { return .notServed }
                return .use(try self.context(of: identity.identity))
            } catch {
                return .refuse(ProgramRefusal(error, alert: .internalError))
            }
        }
    }

    func context(of identity: Identity) throws(SecureSocketError) -> TLSContext {
        if let known = self.state.withLock({ $0.context(of: identity) }) { return known }
        var settings = self.settings
        settings.identity = identity
        let context = try TLSContext(checking: settings)
        return self.state.withLock { state in
            // Another handshake may have set it up meanwhile.
            if let known = state.context(of: identity) { return known }
            if state.prepared.count >= self.capacity, let oldest = state.prepared.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.prepared[oldest.key] = nil
            }
            state.prepared[ObjectIdentifier(identity)] = Prepared(identity: identity, context: context, lastUse: state.uses)
            return context
        }
    }
}
