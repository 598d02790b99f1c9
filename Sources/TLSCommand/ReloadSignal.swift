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

/// `SIGHUP`, which asks a server to read its files again. From the creation on, the signal does not end the process.
struct ReloadSignal: Sendable {
    /// The arrivals of the signal. Several that arrive during one reload count as one.
    let arrivals: AsyncStream<Void>

    init() {
        let (arrivals, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.arrivals = arrivals
        #if os(Linux)
            // So that the first use is not in a signal handler.
            _ = arrival
            Thread.detachNewThread {
                while true { if sem_wait(arrival) == 0 { continuation.yield() } }
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
                continuation.yield()
            }
            source.activate()
        #endif
    }
}
