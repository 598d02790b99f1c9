import Dispatch
import Foundation

#if os(Linux)
    /// The semaphore that the signal handler posts. Allocated before the handler is installed, and never released.
    private nonisolated(unsafe) let arrival: UnsafeMutablePointer<sem_t> = {
        let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
        return semaphore
    }()
#endif

/// `SIGHUP`, which asks a server to read its files again.
enum ReloadSignal {
    /// Runs `reload` whenever the signal arrives, one run after another. Signals that arrive before a run begins count as one. From this call
    /// on, the signal does not end the process.
    ///
    /// No descriptor is needed, and no task until a signal arrives, so that a server can start with the few descriptors that it needs itself.
    static func watch(_ reload: @escaping @Sendable () async -> Void) {
        #if os(Linux)
            // So that the first use is not in a signal handler.
            _ = arrival
            Thread.detachNewThread {
                while true {
                    while sem_wait(arrival) != 0 {}
                    while sem_trywait(arrival) == 0 {}
                    Self.run(reload)
                }
            }
            // A handler may call async-signal-safe functions only (signal-safety(7)), such as this one.
            signal(SIGHUP) { _ in sem_post(arrival) }
        #else
            // A source observes the signal, but does not replace its default action.
            signal(SIGHUP, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "tls.reload"))
            source.setEventHandler {
                // The handler retains the source for the life of the process.
                _ = source
                Self.run(reload)
            }
            source.activate()
        #endif
    }

    /// Waits for one run. Called on a thread of its own.
    private static func run(_ reload: @escaping @Sendable () async -> Void) {
        let isDone = DispatchSemaphore(value: 0)
        Task {
            await reload()
            isDone.signal()
        }
        isDone.wait()
    }
}
