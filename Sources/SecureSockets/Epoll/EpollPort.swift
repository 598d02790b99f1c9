#if os(Linux)
    import CEpoll
    import NIOCore

    #if canImport(Musl)
        import Musl
    #else
        import Glibc
    #endif

    /// A listening TCP socket on one of our own loops.
    ///
    /// Connections are taken one a round of the loop, so that a crowd of new ones does not keep the loop from those that it has.
    final class EpollPort: ListeningPort, PolledDescriptor {
        private let loop: EpollEventLoop
        private let group: any EventLoopGroup
        private let descriptor: Int32
        private let acceptor: Acceptor
        private let options: SocketOptions
        private var registration: EpollEventLoop.Registration?
        private var isWanted = false
        private var mayTake = false
        private var isUnfinished = false
        private var isClosed = false

        let localAddress: SocketAddress?
        /// What it accepts has the same address, unless it listens at all of the machine's: one object for all, and no system call.
        private let connectionsAddress: SocketAddress?

        /// Binds and listens. On the loop.
        ///
        /// - Parameter group: The loops that connections are spread over.
        init(
            at address: SocketAddress, on loop: EpollEventLoop, for acceptor: Acceptor, options: SocketOptions,
            spreadingOver group: any EventLoopGroup
        ) throws(IOError) {
            self.descriptor = try Self.listen(at: address, options)
            let localAddress = SocketAddress.local(of: self.descriptor)
            self.localAddress = localAddress
            self.connectionsAddress = localAddress?.isWildcard ?? true ? nil : localAddress
            self.loop = loop
            self.group = group
            self.acceptor = acceptor
            self.options = options
            do {
                self.registration = try loop.register(self.descriptor, for: cepoll_in | cepoll_edge_triggered, self)
            } catch {
                _ = cepoll_close(self.descriptor)
                throw error
            }
        }

        private static func listen(at address: SocketAddress, _ options: SocketOptions) throws(IOError) -> Int32 {
            let descriptor = try IOError.check(cepoll_socket(address.protocol.rawValue), "socket")
            do {
                func set(_ name: Int32, _ reason: String) throws(IOError) {
                    _ = try IOError.check(cepoll_set_option(descriptor, SOL_SOCKET, name, 1), reason)
                }
                try set(SO_REUSEADDR, "setsockopt")
                if options.reusePort { try set(SO_REUSEPORT, "setsockopt") }
                // Accepted sockets inherit the following (socket(7), tcp(7)), which saves a system call for each.
                try set(SO_OOBINLINE, "setsockopt")
                if options.keepAlive { try set(SO_KEEPALIVE, "setsockopt") }
                if options.noDelay { _ = try IOError.check(cepoll_set_no_delay(descriptor, 1), "setsockopt") }
                _ = try IOError.check(address.withSockAddr { cepoll_bind(descriptor, $0, socklen_t($1)) }, "bind")
                _ = try IOError.check(cepoll_listen(descriptor, Int32(clamping: options.backlog)), "listen")
                return descriptor
            } catch {
                _ = cepoll_close(descriptor)
                throw error
            }
        }

        func ready(_ events: UInt32) {
            self.mayTake = true
            self.take()
        }

        func goOn() {
            self.isUnfinished = false
            self.take()
        }

        func loopStops() {
            self.close()
        }

        func takeOne() {
            self.isWanted = true
            guard self.mayTake, !self.isUnfinished, !self.isClosed else { return }
            self.isUnfinished = true
            self.loop.again(self)
        }

        func pause() {
            self.isWanted = false
        }

        private func take() {
            while self.isWanted, self.mayTake, !self.isClosed {
                var storage = sockaddr_storage()
                var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
                let result = cepoll_accept(self.descriptor, &storage, &length)
                if result >= 0 {
                    self.isWanted = false
                    self.hand(result, SocketAddress(storage))
                    return self.acceptor.readCompleted()
                }
                switch -result {
                case EAGAIN: self.mayTake = false
                // Connections that were gone before they were ours (accept(2)).
                case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, EOPNOTSUPP:
                    continue
                default:
                    self.isWanted = false
                    return self.acceptor.readFailed(IOError(errnoCode: -result, reason: "accept"))
                }
            }
        }

        /// Gives a connection to the loop that is next.
        private func hand(_ descriptor: Int32, _ peer: SocketAddress?) {
            let loop = (self.acceptor.wantedLoop ?? self.group.next()) as? EpollEventLoop ?? self.loop
            let transport = EpollTransport(
                descriptor, on: loop, at: self.connectionsAddress, peer: peer, options: self.options)
            let id = ObjectIdentifier(transport)
            let acceptor = self.acceptor
            acceptor.taken(id)
            guard loop !== self.loop else { return Self.begin(transport, id, acceptor) }
            // Nobody else has the transport.
            let handed = Handed(transport: transport)
            loop.execute { Self.begin(handed.transport, id, acceptor) }
        }

        /// Sendable without a check because the transport is given away with it.
        private struct Handed: @unchecked Sendable {
            let transport: EpollTransport
        }

        private static func begin(_ transport: EpollTransport, _ id: ObjectIdentifier, _ acceptor: Acceptor) {
            do {
                try transport.begin { acceptor.makeConnection(as: id, over: $0) }
            } catch {
                acceptor.onLoop { acceptor.leftTheWay(id) }
            }
        }

        func close() {
            guard !self.isClosed else { return }
            self.isClosed = true
            if let registration { self.loop.unregister(registration) }
            self.registration = nil
            _ = cepoll_close(self.descriptor)
            self.acceptor.portIsFree()
        }
    }

    extension IOError {
        /// The result of a call that answers negative error numbers.
        static func check(_ result: Int32, _ call: String) throws(IOError) -> Int32 {
            guard result < 0 else { return result }
            throw IOError(errnoCode: -result, reason: call)
        }
    }
#endif
