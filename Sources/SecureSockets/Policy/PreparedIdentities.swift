import NIOCore
import Synchronization
import TLSEngine

/// The contexts of identities that a program has selected, so that each is set up once. At most `capacity` are kept; the one that was set up
/// first is removed first.
final class PreparedIdentities: Sendable {
    static let capacity = 64

    private struct Prepared {
        let identity: Identity
        let context: TLSContext
    }

    /// The settings of the server, without an identity.
    private let settings: TLSSettings
    /// In the order of their set-up.
    private let prepared = Mutex<[Prepared]>([])

    init(_ settings: TLSSettings) { self.settings = settings }

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
        if let known = self.prepared.withLock({ $0.first { $0.identity === identity } }) { return known.context }
        var settings = self.settings
        settings.identity = identity
        let context = try TLSContext(checking: settings)
        self.prepared.withLock { prepared in
            if prepared.count >= Self.capacity { prepared.removeFirst() }
            prepared.append(Prepared(identity: identity, context: context))
        }
        return context
    }
}
