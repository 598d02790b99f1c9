import Dispatch
import Foundation

/// The signals that ask the process to stop: Ctrl-C and `SIGTERM`.
///
/// The first is a request; a second one ends the process at once, with the status that a shell gives to the signal.
final class StopSignals: Sendable {
    private let arrivals: AsyncStream<Void>

    /// From here on, the signals do not end the process by themselves.
    init() async {
        let (arrivals, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.arrivals = arrivals
        let queue = DispatchQueue(label: "tls.signals")
        // Touched on the queue only.
        nonisolated(unsafe) var hasArrived = false
        for number in [SIGINT, SIGTERM] {
            #if canImport(Darwin)
                // There, a source only watches; elsewhere it takes the signal.
                signal(number, SIG_IGN)
            #endif
            await withCheckedContinuation { (registered: CheckedContinuation<Void, Never>) in
                let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
                source.setRegistrationHandler { registered.resume() }
                source.setEventHandler {
                    // The handler keeps the source, which lives as long as the process.
                    _ = source
                    if hasArrived { _exit(128 + number) }
                    hasArrived = true
                    continuation.yield()
                }
                source.activate()
            }
        }
    }

    /// Waits for the first; returns at once if it has come already. Cancelling ends the wait.
    func first() async {
        for await _ in self.arrivals { return }
    }
}
