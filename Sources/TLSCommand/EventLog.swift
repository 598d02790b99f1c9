import Dispatch
import Synchronization

/// A log that prints reports in order without blocking their senders: `add` returns at once, and can be called on an event loop.
///
/// If the output is not read, at most `limit` reports are queued. Further ones are dropped, and their number is printed when there is room.
final class EventLog: Sendable {
    private struct State {
        var waiting: [any Report] = []
        /// The reports that are queued or being printed.
        var pendingCount = 0
        var droppedCount = 0
        var isPrinting = false
    }

    private let reporter: Reporter
    private let limit: Int
    private let state = Mutex(State())
    /// The queue that prints. It blocks while the output does.
    private let queue = DispatchQueue(label: "tls.log")

    init(_ reporter: Reporter, limit: Int = 4096) {
        self.reporter = reporter
        self.limit = limit
    }

    func add(_ report: any Report) {
        let isFirst = self.state.withLock { state in
            guard state.pendingCount < self.limit else {
                state.droppedCount += 1
                return false
            }
            state.waiting.append(report)
            state.pendingCount += 1
            defer { state.isPrinting = true }
            return !state.isPrinting
        }
        if isFirst { self.queue.async { self.printAll() } }
    }

    private func printAll() {
        while true {
            let (reports, droppedCount) = self.state.withLock { state in
                let reports = state.waiting
                state.waiting = []
                state.isPrinting = !reports.isEmpty
                defer { if reports.isEmpty { state.droppedCount = 0 } }
                return (reports, reports.isEmpty ? state.droppedCount : 0)
            }
            // The server continues even if its log cannot be written.
            if droppedCount > 0 { try? self.reporter.report(DroppedReport(count: droppedCount)) }
            if reports.isEmpty { return }
            for report in reports {
                try? self.reporter.report(report)
                self.state.withLock { $0.pendingCount -= 1 }
            }
        }
    }

    /// Waits until all reports are printed, for at most `limit` if the output is not read.
    func flush(within limit: Duration = .seconds(1)) async {
        let printing = DispatchGroup()
        self.queue.async(group: printing) {}
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                _ = printing.wait(timeout: .now() + .milliseconds(Int(limit.milliseconds)))
                continuation.resume()
            }
        }
    }
}

extension EventLog {
    /// Runs `body`, and then prints the reports that it has added, even if it throws.
    func flushed(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            await self.flush()
            throw error
        }
        await self.flush()
    }
}

/// The report on dropped reports.
struct DroppedReport: Report {
    static let event = "dropped"

    var count: Int

    var text: String { "\(self.count) lines were dropped, because standard error was not read fast enough" }
}
