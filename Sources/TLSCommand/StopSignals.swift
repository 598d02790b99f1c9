import Dispatch
import Foundation
import Synchronization

#if os(Linux)
    /// Posted by the signal handler. Allocated before the handler is installed, and never released.
    private nonisolated(unsafe) let arrival: UnsafeMutablePointer<sem_t> = {
        let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
        return semaphore
    }()
    private let hasArrived = Atomic<Bool>(false)
#endif

/// The signals that ask the process to stop: Ctrl-C and `SIGTERM`.
///
/// The first is a request; a second one ends the process at once, with the status that a shell gives to the signal.
final class StopSignals: Sendable {
    private let arrivals: AsyncStream<Void>

    /// From here on, the signals do not end the process by themselves.
    init() async {
        let (arrivals, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.arrivals = arrivals
        #if os(Linux)
            Self.watchWithHandlers { continuation.yield() }
        #else
            await Self.watchWithSources { continuation.yield() }
        #endif
    }

    #if os(Linux)
        /// A source of Dispatch needs a descriptor for each signal. Without one it ignores the signal, and is silent about that.
        private static func watchWithHandlers(_ arrived: @escaping @Sendable () -> Void) {
            // Not in a handler for the first time.
            _ = arrival
            Thread.detachNewThread {
                while sem_wait(arrival) != 0 {}
                arrived()
            }
            for number in [SIGINT, SIGTERM] {
                // What a handler calls must be async-signal-safe (signal-safety(7)): these two are.
                signal(number) { number in
                    if hasArrived.exchange(true, ordering: .relaxed) { _exit(128 + number) }
                    sem_post(arrival)
                }
            }
        }
    #else
        private static func watchWithSources(_ arrived: @escaping @Sendable () -> Void) async {
            let queue = DispatchQueue(label: "tls.signals")
            // Touched on the queue only.
            nonisolated(unsafe) var hasArrived = false
            for number in [SIGINT, SIGTERM] {
                // A source only watches.
                signal(number, SIG_IGN)
                await withCheckedContinuation { (registered: CheckedContinuation<Void, Never>) in
                    let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
                    source.setRegistrationHandler { registered.resume() }
                    source.setEventHandler {
                        // The handler keeps the source, which lives as long as the process.
                        _ = source
                        if hasArrived { _exit(128 + number) }
                        hasArrived = true
                        arrived()
                    }
                    source.activate()
                }
            }
        }
    #endif

    /// Waits for the first; returns at once if it has come already. Cancelling ends the wait.
    func first() async {
        for await _ in self.arrivals { return }
    }
}
