import Logging
import NIOCore
import SocketCore

/// The log of a listener, with at most ten lines of a kind in ten seconds: failed handshakes that the program does not handle itself,
/// failed handlers, connections that were ended because of their certificates, and shortages of descriptors.
struct ListenerLog {
    struct Line: Sendable {
        let logger: Logger
        let level: Logger.Level
        let message: Logger.Message
        var metadata: Logger.Metadata

        func write() { self.logger.log(level: self.level, self.message, metadata: self.metadata) }
    }

    private let logger: Logger
    private var handshakes = LogLimiter()
    private var departures = LogLimiter()
    private var handlers = LogLimiter()
    private var refusals = LogLimiter()
    private var shortages = LogLimiter()
    private var shortSince: NIODeadline?
    /// The time without a shortage after which it is considered over.
    private static let recovery = TimeAmount.seconds(1)
    private var hasReportedBlockedLoop = false

    init(_ logger: Logger) { self.logger = logger }

    private func line(
        _ limiter: inout LogLimiter, _ level: Logger.Level, _ message: Logger.Message,
        _ metadata: @autoclosure () -> Logger.Metadata, at now: NIODeadline
    ) -> [Line] {
        guard self.logger.logLevel <= level, case .log(let suppressed) = limiter.decide(at: now) else { return [] }
        var metadata = metadata()
        if suppressed > 0 { metadata["notLoggedBefore"] = "\(suppressed)" }
        return [Line(logger: self.logger, level: level, message: message, metadata: metadata)]
    }

    mutating func handshakeFailed(_ error: SecureSocketError, at now: NIODeadline) -> [Line] {
        // Health checks and port scans connect without sending anything.
        if error.code == .endedBeforeHandshake {
            return self.line(&self.departures, .debug, "a client left without a handshake", ["error": "\(error)"], at: now)
        }
        return self.line(
            &self.handshakes, .info, "a client did not complete its handshake",
            ["error": "\(error)", "code": "\(error.code)", "blame": "\(error.blame)"], at: now)
    }

    mutating func handlerThrew(_ error: any Error, peer: String, at now: NIODeadline) -> [Line] {
        self.line(
            &self.handlers, .info, "a connection's handler threw an error", ["error": "\(error)", "peer": "\(peer)"], at: now)
    }

    /// Records that an open connection begins to end because its client is no longer accepted.
    mutating func peerRefused(_ error: SecureSocketError, peer: String, at now: NIODeadline) -> [Line] {
        self.line(
            &self.refusals, .notice, "an open connection is ended: its client is no longer accepted",
            ["error": "\(error)", "peer": "\(peer)"], at: now)
    }

    /// Records a shortage of descriptors, which begins or continues.
    mutating func ranShort(_ error: SecureSocketError, at now: NIODeadline) -> [Line] {
        let isNew = self.shortSince == nil
        self.shortSince = now
        guard isNew else { return [] }
        return self.line(
            &self.shortages, .warning, "new connections have to wait: no file descriptors are left", ["error": "\(error)"],
            at: now)
    }

    /// Records an accepted connection.
    mutating func arrived(at now: NIODeadline) -> [Line] {
        guard let shortSince, now >= shortSince + Self.recovery else { return [] }
        self.shortSince = nil
        return self.line(&self.shortages, .notice, "new connections are accepted again", [:], at: now)
    }

    mutating func loopIsBlocked() -> [Line] {
        guard !self.hasReportedBlockedLoop else { return [] }
        self.hasReportedBlockedLoop = true
        return [
            Line(
                logger: self.logger, level: .warning,
                message: "an event loop does not take its connections and is given no more; a handler may be blocking its thread",
                metadata: [:])
        ]
    }
}
