internal import TLSEngine

/// The commands at the beginning of a connection, one after the other: protocol, authentication, name and database.
///
///     reply ↓       step →   HELLO 3 …              AUTH             CLIENT SETNAME   SELECT
///     a value                SELECT, or ready       SETNAME ¹        SELECT ¹         ready
///     RESP2 wanted ²         AUTH ¹                 fails            SELECT ¹         fails
///     another error          fails                  fails            SELECT ¹         fails
///
/// ¹ Or the next step that the configuration needs, or ready.
/// ² `NOPROTO`, or HELLO is not a known command: a server before Redis 6, or a proxy.
///
/// A name that is refused does not matter; some proxies do not have the command.
struct RedisHandshake {
    private enum Step { case hello, auth, setName, select }

    enum Decision {
        case send(RedisCommand)
        case ready
        case fail(RedisError)
    }

    private let configuration: RedisConfiguration
    private var step = Step.hello

    init(_ configuration: RedisConfiguration) { self.configuration = configuration }

    /// The first command.
    var first: RedisCommand {
        var arguments = ["3"]
        if let password = self.configuration.password {
            arguments += ["AUTH", self.configuration.username ?? "default", password]
        }
        if let name = self.configuration.clientName { arguments += ["SETNAME", name] }
        return RedisCommand("HELLO", arguments: arguments)
    }

    mutating func received(_ reply: RedisValue) -> Decision {
        if case .error(let text) = reply { return self.refused(text) }
        switch self.step {
        case .hello: return self.select()
        case .auth: return self.setName()
        case .setName: return self.select()
        case .select: return .ready
        }
    }

    private mutating func refused(_ text: String) -> Decision {
        let reply = ErrorReply(text)
        switch self.step {
        case .hello where reply.asksForRESP2: return self.auth()
        case .setName: return self.select()
        case .auth: return .fail(self.failure(.authenticationFailed, "AUTH", reply))
        case .hello:
            return .fail(self.failure(reply.isAuthenticationFailure ? .authenticationFailed : .connectionFailed, "HELLO", reply))
        case .select:
            return .fail(self.failure(reply.isAuthenticationFailure ? .authenticationFailed : .connectionFailed, "SELECT", reply))
        }
    }

    private mutating func auth() -> Decision {
        guard let password = self.configuration.password else { return self.setName() }
        self.step = .auth
        let credentials = (self.configuration.username.map { [$0] } ?? []) + [password]
        return .send(RedisCommand("AUTH", arguments: credentials))
    }

    private mutating func setName() -> Decision {
        guard let name = self.configuration.clientName else { return self.select() }
        self.step = .setName
        return .send(RedisCommand("CLIENT", "SETNAME", name))
    }

    private mutating func select() -> Decision {
        guard self.configuration.database != 0 else { return .ready }
        self.step = .select
        return .send(RedisCommand("SELECT", self.configuration.database))
    }

    private func failure(_ code: RedisError.Code, _ command: String, _ reply: ErrorReply) -> RedisError {
        // A server may repeat the arguments, of which a password is one.
        let text = self.configuration.password == nil ? reply.text : reply.code ?? "an error"
        let database = command == "SELECT" ? " \(self.configuration.database)" : ""
        return RedisError(
            code, "Redis at \(self.configuration.server) refused \(command)\(database): \(text)", advice: reply.advice,
            replyCode: reply.code)
    }
}
