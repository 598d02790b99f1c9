#if os(Linux)
    import CEpoll
    import NIOCore

    #if canImport(Musl)
        import Musl
    #else
        import Glibc
    #endif

    /// Connects to addresses on one of our own loops.
    final class EpollConnector: AddressConnector {
        private let loop: EpollEventLoop
        private let options: SocketOptions

        init(on loop: EpollEventLoop, options: SocketOptions) {
            self.loop = loop
            self.options = options
        }

        func connect(
            to address: SocketAddress, from local: SocketAddress?,
            completion: @escaping (Result<ConnectedTransport, IOError>) -> Void
        ) throws(IOError) -> any AddressAttempt {
            let (loop, options) = (self.loop, self.options)
            let attempt = try ConnectingDescriptor(to: address, from: local, on: loop, options: options)
            try attempt.start { result in
                completion(
                    result.map { descriptor in
                        let transport = EpollTransport(descriptor, on: loop, peer: address, options: options)
                        return ConnectedTransport { connect in
                            try transport.begin(connect)
                        } close: {
                            transport.close()
                        }
                    })
            }
            return attempt
        }
    }

    /// A socket that is being connected.
    private final class ConnectingDescriptor: PolledDescriptor, AddressAttempt {
        private let loop: EpollEventLoop
        private let descriptor: Int32
        private let address: SocketAddress
        private var registration: EpollEventLoop.Registration?
        private var completion: ((Result<Int32, IOError>) -> Void)?
        private var retry: TimerHeap.Timer?
        private var isClosed = false

        private static let retryDelay = TimeAmount.milliseconds(5)

        init(to address: SocketAddress, from local: SocketAddress?, on loop: EpollEventLoop, options: SocketOptions)
            throws(IOError)
        {
            self.loop = loop
            self.address = address
            self.descriptor = try IOError.check(cepoll_socket(address.protocol.rawValue), "socket")
            // An urgent byte is part of the stream. Delivered out of band, it would be missing from its record.
            _ = try IOError.check(cepoll_set_option(self.descriptor, SOL_SOCKET, SO_OOBINLINE, 1), "setsockopt")
            if options.noDelay, !address.isUnix { _ = try IOError.check(cepoll_set_no_delay(self.descriptor, 1), "setsockopt") }
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

        /// Begins to connect. `completion` runs once, and not after `close`.
        func start(_ completion: @escaping (Result<Int32, IOError>) -> Void) throws(IOError) {
            self.completion = completion
            do {
                try self.connect()
            } catch {
                self.completion = nil
                throw error
            }
        }

        private func connect() throws(IOError) {
            let result = self.address.withSockAddr { cepoll_connect(self.descriptor, $0, socklen_t($1)) }
            // A Unix domain socket does not wait for room in a full queue of its server (unix(7)).
            if result == -EAGAIN, self.address.isUnix { return self.connectLater() }
            if result < 0, result != -EINPROGRESS { throw IOError(errnoCode: -result, reason: "connect") }
            // Whether it is connected is reported by the loop, and not before this call has returned.
            self.registration = try self.loop.register(self.descriptor, for: cepoll_out | cepoll_edge_triggered, self)
        }

        /// Tries again every few milliseconds until the deadline of the whole call closes this attempt.
        private func connectLater() {
            self.retry = self.loop.schedule(at: .now() + Self.retryDelay) {
                self.retry = nil
                do throws(IOError) {
                    try self.connect()
                } catch {
                    self.fail(error)
                }
            } orWhenTheLoopEnds: {
                self.retry = nil
                self.loopStops()
            }
        }

        private func fail(_ error: IOError) {
            let completion = self.completion
            self.close()
            completion?(.failure(error))
        }

        func ready(_ events: UInt32) {
            let error = cepoll_pending_error(self.descriptor)
            guard error == 0 else { return self.fail(IOError(errnoCode: error, reason: "connect")) }
            let completion = self.completion
            // From here on the descriptor has another owner.
            self.isClosed = true
            self.completion = nil
            if let registration { self.loop.remove(registration, of: self.descriptor) }
            self.registration = nil
            completion?(.success(self.descriptor))
        }

        func resume() {}

        func loopStops() {
            self.fail(IOError(errnoCode: ECANCELED, reason: "connect"))
        }

        func close() {
            guard !self.isClosed else { return }
            self.isClosed = true
            self.completion = nil
            if let retry { self.loop.cancel(retry) }
            self.retry = nil
            if let registration { self.loop.unregister(registration) }
            self.registration = nil
            _ = cepoll_close(self.descriptor)
        }
    }
#endif
