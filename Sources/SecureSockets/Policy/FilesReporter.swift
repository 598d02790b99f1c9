package import Logging
package import NIOCore
import SocketCore

/// The log of files that are followed, with at most ten lines of a kind in ten seconds. It contains paths and what the caller adds, but no
/// content of files. With the package trait `MetricsSupport`, events are also counted.
package struct FilesReporter {
    private let logger: Logger
    /// What the files are, in the singular, such as `certificate`.
    private let subject: String
    private var limiters: [TLSFiles.Event.Kind: LogLimiter] = [:]
    /// The problem that lasts, and the time at which it is logged again.
    private var problem: (kind: TLSFiles.Event.Kind, metadata: Logger.Metadata, due: NIODeadline)?
    #if MetricsSupport
        private var metrics: FilesMetrics
    #endif

    /// - Parameter paths: The paths of the files, as a text.
    package init(_ logger: Logger, about subject: String, at paths: String) {
        self.logger = logger
        self.subject = subject
        #if MetricsSupport
            self.metrics = FilesMetrics(of: paths)
        #endif
    }

    /// - Parameter metadata: What the log says about the event.
    package mutating func report(_ kind: TLSFiles.Event.Kind, _ metadata: @autoclosure () -> Logger.Metadata, at now: NIODeadline)
    {
        #if MetricsSupport
            self.metrics.report(kind)
        #endif
        switch kind {
        case .failed, .partiallyLoaded, .updateFailed: self.problem = (kind, metadata(), now + Self.timeBetweenReminders)
        case .loaded, .recovered: self.problem = nil
        default: break
        }
        let level = Self.level(of: kind)
        guard self.logger.logLevel <= level,
            case .log(let suppressed) = self.limiters[kind, default: LogLimiter()].decide(at: now)
        else { return }
        var metadata = metadata()
        if suppressed > 0 { metadata["notLoggedBefore"] = "\(suppressed)" }
        self.logger.log(level: level, "\(self.message(for: kind))", metadata: metadata)
    }

    /// The time after which a problem that lasts is logged again.
    static let timeBetweenReminders = TimeAmount.hours(1)

    /// Logs a problem again that has lasted for an hour. Called after each poll.
    package mutating func remind(at now: NIODeadline) {
        guard let (kind, metadata, due) = self.problem, now >= due else { return }
        self.problem?.due = now + Self.timeBetweenReminders
        self.logger.log(
            level: Self.level(of: kind), "\(self.message(for: kind)) (this has lasted for an hour or more)", metadata: metadata)
    }

    private static func level(of kind: TLSFiles.Event.Kind) -> Logger.Level {
        switch kind {
        case .retrying: .debug
        case .failed, .partiallyLoaded, .updateFailed: .warning
        default: .notice
        }
    }

    private func message(for kind: TLSFiles.Event.Kind) -> String {
        switch kind {
        case .loaded: "changed \(self.subject) files were loaded"
        case .retrying: "changed \(self.subject) files cannot be loaded yet"
        case .failed: "\(self.subject) files cannot be loaded; what was loaded before remains in use in their place"
        case .partiallyLoaded:
            "some \(self.subject) files cannot be loaded; the others are in use"
        case .updateFailed: "changed \(self.subject) files were loaded, but the program could not use them"
        default: "the problem with the \(self.subject) files is over"
        }
    }
}
