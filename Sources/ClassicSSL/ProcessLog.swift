import Logging
import NIOCore
import SocketCore
import Synchronization

/// Logs processes that throw, at most ten in ten seconds.
final class ProcessLog: Sendable {
    static let shared = ProcessLog(SSL.logger)

    private let logger: Logger
    private let limiter = Mutex(LogLimiter())

    init(_ logger: Logger) { self.logger = logger }

    func processThrew(_ error: any Error, _ pid: SSL.Pid, at now: NIODeadline = .now()) {
        guard case .log(let suppressed) = self.limiter.withLock({ $0.decide(at: now) }) else { return }
        var metadata: Logger.Metadata = ["pid": "\(pid)", "error": "\(error)"]
        if suppressed > 0 { metadata["notLoggedBefore"] = "\(suppressed)" }
        self.logger.error("a process threw an error", metadata: metadata)
    }
}
