#if os(Linux)
    import CEpoll
#endif

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// A thread that is not joined.
enum DetachedThread {
    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Starts a thread for a look-up of a host. Returns an error number, or 0.
    @Sendable static func start(_ run: @escaping @Sendable () -> Void) -> Int32 { self.start(name: "host-look-up", run) }

    /// Starts a thread. Returns an error number, or 0.
    ///
    /// - Parameter name: The thread's name, of at most 15 bytes, which debuggers show on Linux.
    static func start(name: String, _ run: @escaping @Sendable () -> Void) -> Int32 {
        // The thread takes over this reference. If the thread cannot be created, it is released.
        let body = Unmanaged.passRetained(Body(name: name, run))
        #if canImport(Darwin)
            var thread: pthread_t?
            let result = pthread_create(
                &thread, nil,
                { argument in
                    Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                }, body.toOpaque())
            if result == 0, let thread { pthread_detach(thread) }
        #else
            var thread = pthread_t()
            let result = pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                    #if os(Linux)
                        cepoll_name_thread(body.name)
                    #endif
                    body.run()
                    return nil
                }, body.toOpaque())
            if result == 0 { pthread_detach(thread) }
        #endif
        if result != 0 { body.release() }
        return result
    }
}
