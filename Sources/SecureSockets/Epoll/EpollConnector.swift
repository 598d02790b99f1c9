#if os(Linux)
    import CEpoll
    import NIOCore
    import NIOPosix
    import SocketCore

    #if canImport(Musl)
        import Musl
    #else
        import Glibc
    #endif

    /// Connects on one of our own loops.
    ///
    /// Sendable without a check because it is touched on `loop` only.
    final class EpollConnector: Connector, @unchecked Sendable {
        private let loop: EpollEventLoop
        private let options: SocketOptions
        private var race = AddressRace<SocketAddress>(families: [])
        private var attempts: [ConnectingDescriptor] = []
        private var failure = ConnectFailure()
        private var local: SocketAddress?
        /// The next event of the race: one at a time.
        private var timer: TimerHeap.Timer?
        private var completion: ((Result<ConnectedTransport, any Error>) -> Void)?

        init(on loop: EpollEventLoop, options: SocketOptions) {
            self.loop = loop
            self.options = options
        }

        func start(_ target: ConnectTarget, completion: @escaping (Result<ConnectedTransport, any Error>) -> Void) {
            self.completion = completion
            self.local = target.local
            switch target.host {
            case .address(let address):
                let family: AddressRace<SocketAddress>.Family = address.protocol == .inet6 ? .v6 : .v4
                self.race = AddressRace(families: [family])
                self.perform(self.race.resolved(family, [address]))
            case .name(let name):
                let families = AddressRace<SocketAddress>.Family.wanted(self.options.addressFamily)
                self.race = AddressRace(families: families)
                for family in families { self.lookUp(name, target.port, family) }
            }
        }

        /// `getaddrinfo` blocks, and so it runs on NIO's thread pool. Giving up does not stop it; its answer is then dropped.
        private func lookUp(_ name: String, _ port: Int, _ family: AddressRace<SocketAddress>.Family) {
            NIOThreadPool.singleton.submit { _ in
                let answer = Result { try HostResolver.lookUp(name, port, family) }
                self.loop.execute { self.answered(family, answer) }
            }
        }

        private func answered(_ family: AddressRace<SocketAddress>.Family, _ answer: Result<[SocketAddress], any Error>) {
            if case .failure(let error as HostResolver.Failure) = answer { self.failure.lookups.append(error) }
            self.perform(self.race.resolved(family, (try? answer.get()) ?? []))
        }

        private func perform(_ action: AddressRace<SocketAddress>.Action) {
            guard self.completion != nil else { return }
            switch action {
            case .none: break
            case .waitForPreferredFamily:
                self.after(AddressRaceTiming.resolutionDelay) { self.perform(self.race.resolutionDelayPassed()) }
            case .attempt(let address):
                self.after(AddressRaceTiming.attemptDelay) { self.perform(self.race.attemptDelayPassed()) }
                self.attempt(address)
            case .exhausted: self.end(.failure(self.failure))
            }
        }

        private func after(_ milliseconds: Int64, _ body: @escaping () -> Void) {
            if let timer { self.loop.cancel(timer) }
            self.timer = self.loop.schedule(at: .now() + .milliseconds(milliseconds), body)
        }

        private func attempt(_ address: SocketAddress) {
            do {
                let descriptor = try ConnectingDescriptor(to: address, from: self.local, on: self.loop, options: self.options)
                try descriptor.start { result in self.tried(descriptor, address, result) }
                self.attempts.append(descriptor)
            } catch {
                self.failed(error)
            }
        }

        private func tried(_ attempt: ConnectingDescriptor, _ address: SocketAddress, _ result: Result<Int32, IOError>) {
            self.attempts.removeAll { $0 === attempt }
            switch result {
            case .failure(let error): self.failed(error)
            case .success(let descriptor):
                let transport = EpollTransport(descriptor, on: self.loop, peer: address, options: self.options)
                self.end(
                    .success(
                        ConnectedTransport { connect in
                            try transport.begin(connect)
                        } close: {
                            transport.close()
                        }))
            }
        }

        private func failed(_ error: IOError) {
            self.failure.attempts.append(error.errnoCode)
            self.perform(self.race.attemptFailed())
        }

        private func end(_ result: Result<ConnectedTransport, any Error>) {
            let completion = self.completion
            self.giveUp()
            completion?(result)
        }

        func giveUp() {
            self.completion = nil
            if let timer { self.loop.cancel(timer) }
            self.timer = nil
            let attempts = self.attempts
            self.attempts.removeAll()
            for attempt in attempts { attempt.close() }
        }
    }

    extension AddressRace.Family {
        fileprivate static func wanted(_ family: SocketOptions.AddressFamily) -> Set<Self> {
            switch family {
            case .any: [.v6, .v4]
            case .v4: [.v4]
            case .v6: [.v6]
            }
        }
    }

    /// A socket that is being connected.
    private final class ConnectingDescriptor: PolledDescriptor {
        private let loop: EpollEventLoop
        private let descriptor: Int32
        private let address: SocketAddress
        private var registration: EpollEventLoop.Registration?
        private var completion: ((Result<Int32, IOError>) -> Void)?
        private var isClosed = false

        init(to address: SocketAddress, from local: SocketAddress?, on loop: EpollEventLoop, options: SocketOptions)
            throws(IOError)
        {
            self.loop = loop
            self.address = address
            self.descriptor = try IOError.check(cepoll_socket(address.protocol.rawValue), "socket")
            // An urgent byte is part of the stream; taken out of it, it would spoil a record.
            _ = try IOError.check(cepoll_set_option(self.descriptor, SOL_SOCKET, SO_OOBINLINE, 1), "setsockopt")
            if options.noDelay { _ = try IOError.check(cepoll_set_no_delay(self.descriptor, 1), "setsockopt") }
            if options.keepAlive {
                _ = try IOError.check(cepoll_set_option(self.descriptor, SOL_SOCKET, SO_KEEPALIVE, 1), "setsockopt")
            }
            if let local {
                _ = try IOError.check(local.withSockAddr { cepoll_bind(self.descriptor, $0, socklen_t($1)) }, "bind")
            }
        }

        deinit {
            if !self.isClosed { _ = cepoll_close(self.descriptor) }
        }

        /// Begins; `completion` runs once, and not after `close`.
        func start(_ completion: @escaping (Result<Int32, IOError>) -> Void) throws(IOError) {
            let result = self.address.withSockAddr { cepoll_connect(self.descriptor, $0, socklen_t($1)) }
            if result < 0, result != -EINPROGRESS { throw IOError(errnoCode: -result, reason: "connect") }
            // Connected already or not, the loop tells, and not before this has returned.
            self.registration = try self.loop.register(self.descriptor, for: cepoll_out | cepoll_edge_triggered, self)
            self.completion = completion
        }

        func ready(_ events: UInt32) {
            let error = cepoll_pending_error(self.descriptor)
            let completion = self.completion
            guard error == 0 else {
                self.close()
                completion?(.failure(IOError(errnoCode: error, reason: "connect")))
                return
            }
            // From here on the descriptor is somebody else's.
            self.isClosed = true
            self.completion = nil
            if let registration { self.loop.remove(registration, of: self.descriptor) }
            self.registration = nil
            completion?(.success(self.descriptor))
        }

        func goOn() {}

        func loopStops() {
            let completion = self.completion
            self.close()
            completion?(.failure(IOError(errnoCode: ECANCELED, reason: "connect")))
        }

        func close() {
            guard !self.isClosed else { return }
            self.isClosed = true
            self.completion = nil
            if let registration { self.loop.unregister(registration) }
            self.registration = nil
            _ = cepoll_close(self.descriptor)
        }
    }
#endif
