import NIOCore
import Synchronization
import TLSEngine

/// The contexts of identities that a program has selected, so that each is set up once. At most `capacity` are kept; the one whose last use is
/// longest ago is removed first.
final class PreparedIdentities: Sendable {
    private let capacity: Int

    private struct Prepared {
        let identity: Identity
        let context: TLSContext
    }

    /// The settings of the server, without an identity.
    private let settings: TLSSettings
    /// In the order of their last use.
    private let prepared = Mutex<[Prepared]>([])

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
        let known = self.prepared.withLock { prepared -> TLSContext? in
            guard let index = prepared.lastIndex(where: { $0.identity === identity }) else { return nil }
            let known = prepared.remove(at: index)
            prepared.append(known)
            return known.context
        }
        if let known { return known }
        var settings = self.settings
        settings.identity = identity
        let context = try TLSContext(checking: settings)
        self.prepared.withLock { prepared in
            if prepared.count >= self.capacity { prepared.removeFirst() }
            prepared.append(Prepared(identity: identity, context: context))
        }
        return context
    }
}
