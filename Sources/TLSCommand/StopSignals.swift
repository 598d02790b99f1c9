import Dispatch
import Foundation
import Synchronization

#if os(Linux)
    /// The semaphore that the signal handler posts. Allocated before the handler is installed, and never released.
    private nonisolated(unsafe) let arrival: UnsafeMutablePointer<sem_t> = {
        let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
        return semaphore
    }()
    private let hasArrived = Atomic<Bool>(false)
#endif

/// The signals that ask the process to stop: Ctrl-C and `SIGTERM`.
///
/// The first signal is a request to stop. A second one ends the process at once, with the status that a shell gives to the signal.
final class StopSignals: Sendable {
    private let arrivals: AsyncStream<Void>

    /// Starts watching the signals. From then on, they do not end the process by themselves.
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
        /// Watches with signal handlers. A Dispatch source needs a descriptor for each signal; without one, it silently ignores the signal.
        private static func watchWithHandlers(_ arrived: @escaping @Sendable () -> Void) {
            // So that the first use is not in a signal handler.
            _ = arrival
            Thread.detachNewThread {
                while sem_wait(arrival) != 0 {}
                arrived()
            }
            for number in [SIGINT, SIGTERM] {
                // A handler may call async-signal-safe functions only (signal-safety(7)), such as these two.
                signal(number) { number in
                    if hasArrived.exchange(true, ordering: .relaxed) { _exit(128 + number) }
                    sem_post(arrival)
                }
            }
        }
    #else
        private static func watchWithSources(_ arrived: @escaping @Sendable () -> Void) async {
            let queue = DispatchQueue(label: "tls.signals")
            // Used on the queue only.
            nonisolated(unsafe) var hasArrived = false
            for number in [SIGINT, SIGTERM] {
                // A source observes the signal, but does not replace its default action.
                signal(number, SIG_IGN)
                await withCheckedContinuation { (registered: CheckedContinuation<Void, Never>) in
                    let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
                    source.setRegistrationHandler { registered.resume() }
                    source.setEventHandler {
                        // The handler retains the source for the life of the process.
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

    /// Waits for the first signal. Returns at once if it has arrived already. Cancelling ends the wait.
    func first() async {
        for await _ in self.arrivals { return }
    }
}
