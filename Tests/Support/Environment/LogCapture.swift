package import Logging
import Synchronization

/// Keeps what is logged.
package final class LogCapture: Sendable {
    package struct Line: Sendable, Equatable {
        package let level: Logger.Level
        package let text: String
    }

    private let captured = Mutex<[Line]>([])

    package init() {}

    package var lines: [Line] { self.captured.withLock { $0 } }

    package var logger: Logger { Logger(label: "test") { _ in Handler(capture: self) } }

    private struct Handler: LogHandler {
        let capture: LogCapture
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            self.capture.captured.withLock { $0.append(Line(level: event.level, text: "\(event.message)\(details)")) }
        }
    }
}
