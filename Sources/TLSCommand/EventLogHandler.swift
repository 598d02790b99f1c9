import Logging
import TLSEngine

/// A log handler that passes the library's messages to the tool's log, so that no event loop waits for standard error.
struct EventLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    private let log: EventLog

    static func logger(for log: EventLog) -> Logger {
        Logger(label: "SecureSockets") { _ in EventLogHandler(log: log) }
    }

    private init(log: EventLog) { self.log = log }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let metadata = self.metadata.merging(event.metadata ?? [:]) { $1 }
        self.log.add(
            LogReport(level: event.level.rawValue, message: event.message.description, details: metadata.mapValues(\.description))
        )
    }
}

/// The report of a message that the library logged.
struct LogReport: Report {
    static let event = "log"

    var level: String
    var message: String
    var details: [String: String]

    var text: String {
        let details = self.details.sorted { $0.key < $1.key }.map { " (\($0.key): \($0.value))" }.joined()
        return "\(self.level): \(self.message)\(details)".escapedForDisplay
    }
}
