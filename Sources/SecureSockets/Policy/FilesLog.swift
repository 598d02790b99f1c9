import Logging
import NIOCore
import SocketCore

/// The log of files that are followed, with at most ten lines of a kind in ten seconds. It contains paths and what the caller adds, but no
/// content of files.
struct FilesLog {
    private let logger: Logger
    /// What the files are, in the singular, such as `certificate`.
    private let subject: String
    private var limiters: [TLSFiles.Event.Kind: LogLimiter] = [:]

    init(_ logger: Logger, about subject: String) {
        self.logger = logger
        self.subject = subject
    }

    mutating func write(
        _ kind: TLSFiles.Event.Kind, error: (any Error)?, metadata: @autoclosure () -> Logger.Metadata, at now: NIODeadline
    ) {
        let level = Self.level(of: kind)
        guard self.logger.logLevel <= level,
            case .log(let suppressed) = self.limiters[kind, default: LogLimiter()].decide(at: now)
        else { return }
        var metadata = metadata()
        metadata["error"] = error.map { "\($0)" }
        if suppressed > 0 { metadata["notLoggedBefore"] = "\(suppressed)" }
        self.logger.log(level: level, "\(self.message(for: kind))", metadata: metadata)
    }

    private static func level(of kind: TLSFiles.Event.Kind) -> Logger.Level {
        switch kind {
        case .retrying: .debug
        case .failed, .updateFailed: .warning
        default: .notice
        }
    }

    private func message(for kind: TLSFiles.Event.Kind) -> String {
        switch kind {
        case .loaded: "changed \(self.subject) files were loaded"
        case .retrying: "changed \(self.subject) files cannot be loaded yet"
        case .failed: "\(self.subject) files cannot be loaded; the \(self.subject)s loaded before remain in use"
        case .updateFailed: "changed \(self.subject) files were loaded, but the program could not use them"
        default: "the problem with the \(self.subject) files is over"
        }
    }
}
