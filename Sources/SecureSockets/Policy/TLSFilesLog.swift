import Logging
import NIOCore
import SocketCore

/// The log of files that are followed, with at most ten lines of a kind in ten seconds. It contains paths and certificates, but neither
/// keys nor passwords.
struct TLSFilesLog {
    private let logger: Logger
    private var limiters: [TLSFiles.Event.Kind: LogLimiter] = [:]

    init(_ logger: Logger) { self.logger = logger }

    mutating func write(_ event: TLSFiles.Event, at now: NIODeadline) {
        let (level, message) = Self.line(for: event.kind)
        guard self.logger.logLevel <= level,
            case .log(let suppressed) = self.limiters[event.kind, default: LogLimiter()].decide(at: now)
        else { return }
        var metadata: Logger.Metadata = [:]
        if let snapshot = event.snapshot {
            metadata["sha256"] = snapshot.identity.certificates.first.map { "\($0.sha256Fingerprint)" }
            metadata["validUntil"] = snapshot.notAfter.map { "\(UTCDate($0))" }
        }
        metadata["error"] = event.error.map { "\($0)" }
        if suppressed > 0 { metadata["notLoggedBefore"] = "\(suppressed)" }
        self.logger.log(level: level, message, metadata: metadata)
    }

    private static func line(for kind: TLSFiles.Event.Kind) -> (Logger.Level, Logger.Message) {
        switch kind {
        case .loaded: (.notice, "changed certificate files were loaded")
        case .retrying: (.debug, "changed certificate files cannot be loaded yet")
        case .failed: (.warning, "certificate files cannot be loaded; the certificates loaded before remain in use")
        case .updateFailed: (.warning, "changed certificate files were loaded, but the program could not use them")
        default: (.notice, "the problem with the certificate files is over")
        }
    }
}
