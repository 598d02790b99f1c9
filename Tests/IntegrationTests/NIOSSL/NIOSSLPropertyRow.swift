#if NIOSSLSupport
    import NIOSSL
    import SecureSockets
    import SecureSocketsNIO
    import TLSEngine
    import TestSupport
    import Testing

    /// One value of a property, and what becomes of it.
    struct NIOSSLPropertyRow: Sendable, CustomTestStringConvertible {
        enum Role: String, Sendable { case client, server }

        enum Outcome: Sendable {
            /// The settings fulfil the condition.
            case converts(@Sendable (TLSContext) -> Bool)
            /// The error has the code, and mentions the property and the text.
            case refused(String, SecureSocketError.Code = .invalidConfiguration)
        }

        /// A configuration under construction, with a folder for its files.
        struct Draft {
            let material: NIOSSLMaterial
            let folder: TemporaryDirectory
            var configuration: TLSConfiguration
        }

        let property: NIOSSLProperty
        let role: Role
        let value: String
        let set: @Sendable (inout Draft) throws -> Void
        let outcome: Outcome

        var testDescription: String { "\(self.role.rawValue): \(self.property.name) \(self.value)" }

        /// A row for each of the roles.
        static func rows(
            _ property: NIOSSLProperty, _ value: String, _ outcome: Outcome, of roles: [Role] = [.client, .server],
            _ set: @escaping @Sendable (inout Draft) throws -> Void
        ) -> [NIOSSLPropertyRow] {
            roles.map { NIOSSLPropertyRow(property: property, role: $0, value: value, set: set, outcome: outcome) }
        }

        /// A row for each of the roles, whose value replaces one of the configuration.
        static func rows<Value: Sendable>(
            _ property: NIOSSLProperty, _ path: any WritableKeyPath<TLSConfiguration, Value> & Sendable, _ value: Value,
            _ outcome: Outcome, of roles: [Role] = [.client, .server]
        ) -> [NIOSSLPropertyRow] {
            Self.rows(property, "\(value)", outcome, of: roles) { $0.configuration[keyPath: path] = value }
        }

        /// Converts the configuration of the row.
        func convert() throws -> TLSContext {
            let material = try NIOSSLMaterial()
            var draft = Draft(
                material: material, folder: try TemporaryDirectory(),
                configuration: self.role == .server ? try material.server : try material.client)
            try self.set(&draft)
            return switch self.role {
            case .client: try TLSClientConfiguration(draft.configuration).context
            case .server: try TLSServerConfiguration(draft.configuration).context
            }
        }
    }
#endif
