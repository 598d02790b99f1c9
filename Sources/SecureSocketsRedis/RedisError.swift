public import SecureSockets
internal import TLSEngine

/// The reason for which a command or a client of Redis failed: a code to switch on, a message, and advice.
///
/// Messages name the server, the command or the setting at fault. They contain no password and no argument of a command.
public struct RedisError: Error, Sendable {
    /// The kind of failure, for programs to switch on. New codes may be added in any version.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private let name: String

        private init(_ name: String) { self.name = name }

        /// The name of the constant, for example `timedOut`.
        public var description: String { self.name }

        /// The URL or a setting has an invalid value.
        public static let invalidConfiguration = Code("invalidConfiguration")
        /// There is no connection, or it was lost before the reply arrived. A command that was written is not written again: the server may
        /// have executed it.
        public static let connectionFailed = Code("connectionFailed")
        /// The reply did not arrive before the deadline. The server may have executed the command, or may still do so.
        public static let timedOut = Code("timedOut")
        /// ``RedisConfiguration/maximumQueuedCommands`` commands have no reply yet, or too many bytes are unsent. The command was not sent.
        public static let queueFull = Code("queueFull")
        /// The client was closed.
        public static let closed = Code("closed")
        /// The server did not accept the user name or the password, or requires them.
        public static let authenticationFailed = Code("authenticationFailed")
        /// The server replied with an error; see ``RedisError/replyCode``.
        public static let commandFailed = Code("commandFailed")
        /// The server sent bytes that are not RESP, a reply to no command, or a reply larger than permitted. The connection was given up.
        public static let protocolViolation = Code("protocolViolation")
        /// The ticket keys in the store cannot be opened, are missing, or cannot be changed now (``RedisTicketKeys``).
        public static let ticketKeysUnusable = Code("ticketKeysUnusable")
        /// The task was cancelled while it waited. The server may have executed the command, or may still do so.
        public static let cancelled = Code("cancelled")
    }

    private final class Details: Sendable {
        let code: Code
        let message: String
        let advice: String?
        let replyCode: String?
        let cause: SecureSocketError?

        init(code: Code, message: String, advice: String?, replyCode: String?, cause: SecureSocketError?) {
            self.code = code
            self.message = message
            self.advice = advice
            self.replyCode = replyCode
            self.cause = cause
        }
    }

    // A single reference, because errors are part of every result on the hot path.
    private let details: Details

    /// The kind of failure.
    public var code: Code { self.details.code }
    /// A sentence that describes the failure. Text of the server is escaped, and bounded to 256 characters.
    public var message: String { self.details.message }
    /// The recommended action, if there is one.
    public var advice: String? { self.details.advice }
    /// The first word of an error that the server sent, for example `WRONGTYPE` or `NOSCRIPT`.
    public var replyCode: String? { self.details.replyCode }
    /// The error of the connection, if that is the cause.
    public var cause: SecureSocketError? { self.details.cause }

    package init(
        _ code: Code, _ message: String, advice: String? = nil, replyCode: String? = nil, cause: SecureSocketError? = nil
    ) {
        self.details = Details(code: code, message: message, advice: advice, replyCode: replyCode, cause: cause)
    }
}

extension RedisError: CustomStringConvertible {
    /// The message and the advice on one line.
    public var description: String {
        guard let advice = self.advice else { return self.message }
        return "\(self.message). \(advice)"
    }
}

extension RedisError: Equatable {
    /// Two errors are equal if a program could not distinguish them: by code, by the server's code, and by the cause.
    public static func == (left: RedisError, right: RedisError) -> Bool {
        left.code == right.code && left.replyCode == right.replyCode && left.cause == right.cause
    }
}

extension RedisError {
    static func timedOut(_ command: String, within timeout: Duration, server: String) -> RedisError {
        RedisError(
            .timedOut, "\(server) did not reply to \(command) within \(timeout.roundedText)",
            advice: "The command may have been executed. Check that the server is not overloaded and can be reached")
    }

    static func cancelled(_ command: String) -> RedisError {
        RedisError(.cancelled, "the task was cancelled while it waited for the reply to \(command)")
    }

    static let closed = RedisError(.closed, "the Redis client was closed")

    static func queueFull(_ count: Int, server: String) -> RedisError {
        RedisError(
            .queueFull, "\(count) commands wait for replies of \(server)",
            advice: "Send fewer commands at a time, or raise maximumQueuedCommands if the server is fast enough")
    }

    static func unsentBytesFull(_ count: Int, server: String) -> RedisError {
        RedisError(
            .queueFull, "commands of \(count) bytes have not been sent to \(server) yet",
            advice: "Send fewer or smaller commands at a time")
    }

    /// The error of a command to which the server replied with an error.
    static func commandFailed(_ command: String, reply: String, server: String) -> RedisError {
        let reply = ErrorReply(reply)
        return RedisError(
            .commandFailed, "\(server) refused \(command): \(reply.text)", advice: reply.advice, replyCode: reply.code)
    }

    static func protocolViolation(_ violation: RESPParser.Violation, server: String) -> RedisError {
        RedisError(
            .protocolViolation, "\(server) sent \(violation.message)",
            advice: "Check that a Redis or Valkey server listens there, and that nothing on the path changes its replies")
    }

    static func connectionFailed(_ error: SecureSocketError, server: String) -> RedisError {
        RedisError(
            .connectionFailed, "the connection to Redis at \(server) failed: \(error.message)", advice: error.advice, cause: error
        )
    }

    static func endOfStream(server: String) -> RedisError {
        RedisError(.connectionFailed, "\(server) closed the connection")
    }

    static func noReply(for overdue: Duration, server: String) -> RedisError {
        RedisError(
            .connectionFailed, "\(server) has not replied for longer than \(overdue.roundedText); its connection was given up",
            advice: "Check that the server runs and is not overloaded")
    }

    /// The error of commands that are not sent because there is no connection.
    func asRefusal(server: String) -> RedisError {
        // Retrying does not help against a wrong password, so that callers can still distinguish it.
        if self.code == .authenticationFailed { return self }
        return RedisError(
            .connectionFailed, "there is no connection to Redis at \(server) (last failure: \(self.message))",
            advice: self.advice, cause: self.cause)
    }
}
