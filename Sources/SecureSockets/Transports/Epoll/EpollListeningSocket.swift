#if os(Linux)
    import CEpoll
    import DequeModule
    import NIOCore
    import Synchronization

    #if canImport(Musl)
        import Musl
    #else
        import Glibc
    #endif

    /// A listening socket from which each loop of a group takes connections.
    ///
    /// The descriptor is watched by every loop, and the kernel wakes one of them for a connection (`EPOLLEXCLUSIVE`): one that is waiting
    /// for events, so never a blocked one. A loop takes one connection per round, so that a crowd of new ones does not keep it from its
    /// existing ones, and hands it to the loop whose turn it is.
    final class EpollListeningSocket: ListeningSocket {
        private let watchers: [Watcher]
        private let acceptor: Acceptor
        private let options: SocketOptions
        /// -1 once it is closed. No loop uses the number after that.
        private let descriptor: Mutex<Int32>
        private let handOvers: Mutex<HandOvers>

        /// The file of a Unix domain socket.
        private let file: UnixSocketFile?

        let localAddress: SocketAddress?
        /// The local address of accepted connections, unless the socket listens on a wildcard address: one object for all, and no system
        /// call.
        private let connectionsAddress: SocketAddress?

        /// Binds and listens.
        init(
            at address: SocketAddress, on loops: [EpollEventLoop], for acceptor: Acceptor, options: SocketOptions,
            listening: ListenerOptions
        )
            throws(IOError)
        {
            let (descriptor, file) = try Self.listen(at: address, options, listening)
            self.file = file
            let localAddress = SocketAddress.local(of: descriptor)
            self.descriptor = Mutex(descriptor)
            self.localAddress = localAddress
            self.connectionsAddress = localAddress?.isWildcard ?? true ? nil : localAddress
            self.acceptor = acceptor
            self.options = options
            self.watchers = loops.map { Watcher(on: $0) }
            self.handOvers = Mutex(HandOvers(places: loops.map { _ in [] }))
        }

        deinit {
            self.handOvers.withLock { $0.places.forEach { $0.forEach { _ = cepoll_close($0.descriptor) } } }
            self.descriptor.withLock { if $0 >= 0 { _ = cepoll_close($0) } }
        }

        /// Begins to watch. Throws if the first loop cannot.
        func start() async throws {
            for (index, watcher) in self.watchers.enumerated() {
                watcher.loop.execute { watcher.listeningSocket = self }
                let watching = watcher.loop.submit { try self.watch(watcher) }
                // The others may be busy. They follow when they can.
                if index == 0 { try await watching.get() }
            }
        }

        private func watch(_ watcher: Watcher) throws {
            try self.descriptor.withLock { descriptor in
                guard descriptor >= 0 else { return }
                let events = cepoll_in | cepoll_edge_triggered | (self.watchers.count > 1 ? cepoll_exclusive : 0)
                watcher.registration = try watcher.loop.register(descriptor, for: events, watcher)
            }
        }

        private static func listen(
            at address: SocketAddress, _ options: SocketOptions, _ listening: ListenerOptions
        ) throws(IOError) -> (Int32, UnixSocketFile?) {
            let descriptor = try IOError.check(cepoll_socket(address.protocol.rawValue), "socket")
            var file: UnixSocketFile?
            do {
                func set(_ name: Int32, _ reason: String) throws(IOError) {
                    _ = try IOError.check(cepoll_set_option(descriptor, SOL_SOCKET, name, 1), reason)
                }
                // Accepted sockets inherit the following (socket(7), tcp(7)), which saves a system call for each.
                try set(SO_OOBINLINE, "setsockopt")
                if options.keepAlive { try set(SO_KEEPALIVE, "setsockopt") }
                if let path = address.pathname {
                    file = try UnixSocketFile(binding: descriptor, to: path, permissions: listening.unixPermissions)
                } else {
                    try set(SO_REUSEADDR, "setsockopt")
                    if listening.reusePort { try set(SO_REUSEPORT, "setsockopt") }
                    if options.noDelay { _ = try IOError.check(cepoll_set_no_delay(descriptor, 1), "setsockopt") }
                    _ = try IOError.check(address.withSockAddr { cepoll_bind(descriptor, $0, socklen_t($1)) }, "bind")
                }
                _ = try IOError.check(cepoll_listen(descriptor, Int32(clamping: listening.backlog)), "listen")
                return (descriptor, file)
            } catch {
                file?.remove()
                _ = cepoll_close(descriptor)
                throw error
            }
        }

        func wake() {
            for watcher in self.watchers {
                let hasRefused = watcher.hasRefused.exchange(false, ordering: .acquiringAndReleasing)
                if watcher.loop.inEventLoop {
                    // Even if this loop has seen no connection: the loop that has may be blocked.
                    watcher.checkSoon()
                } else if hasRefused {
                    watcher.loop.execute { watcher.takeSoon() }
                }
            }
        }

        // MARK: Accepting

        private enum Outcome { case taken, notWanted, empty, failed }

        /// Takes a connection from the operating system's queue and hands it to its loop. Called on the loop of `watcher` or, while the
        /// socket closes, on any thread.
        private func takeOne(on current: EpollEventLoop?) -> Outcome {
            guard let place = self.acceptor.admit() else { return .notWanted }
            var storage = sockaddr_storage()
            let result: Int32 = self.descriptor.withLock { descriptor in
                guard descriptor >= 0 else { return -EAGAIN }
                while true {
                    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
                    let result = cepoll_accept(descriptor, &storage, &length)
                    switch -result {
                    // Connections that were gone before they were accepted (accept(2)).
                    case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, EOPNOTSUPP:
                        continue
                    default: return result
                    }
                }
            }
            if result >= 0 {
                self.hand(result, SocketAddress(storage), to: place, from: current)
                return .taken
            }
            if result == -EAGAIN {
                self.acceptor.notTaken(place: place)
                return .empty
            }
            self.acceptor.ranShort(place: place, IOError(errnoCode: -result, reason: "accept"))
            return .failed
        }

        private func hand(_ descriptor: Int32, _ peer: SocketAddress?, to place: Int, from current: EpollEventLoop?) {
            let handOver = HandOver(descriptor: descriptor, peer: peer, when: .now())
            guard self.watchers[place].loop !== current else { return self.begin(handOver, place) }
            self.put(handOver, to: place)
        }

        // MARK: Handing over

        /// An accepted connection on its way to its loop.
        private struct HandOver {
            let descriptor: Int32
            let peer: SocketAddress?
            let when: NIODeadline
        }

        private struct HandOvers {
            /// In the order of the watchers. Bounded by what the acceptor admits for a loop.
            var places: [Deque<HandOver>]
            /// The time of a loop's next check.
            var nextCheck: NIODeadline?

            /// Returns whether the caller has to schedule a check. A loop whose check is overdue is blocked itself.
            mutating func needsWatch(at now: NIODeadline) -> Bool {
                if let nextCheck, nextCheck + Acceptor.mostDelay >= now { return false }
                self.nextCheck = now + EpollListeningSocket.stalledAfter
                return true
            }
        }

        /// The time after which a loop that has not taken a connection is considered blocked, and another loop gets the connection.
        private static let stalledAfter = TimeAmount.milliseconds(200)

        private func put(_ handOver: HandOver, to place: Int) {
            let needsWatch = self.handOvers.withLock { handOvers in
                handOvers.places[place].append(handOver)
                return handOvers.needsWatch(at: handOver.when)
            }
            self.watchers[place].loop.execute { self.takeHandOver(place) }
            if needsWatch { self.watchHandOvers() }
        }

        /// Called on the loop of that place.
        private func takeHandOver(_ place: Int) {
            let handOver = self.handOvers.withLock { $0.places[place].popFirst() }
            // It may have been handed to another loop in the meantime.
            if let handOver { self.begin(handOver, place) } else { self.acceptor.resumed(place: place) }
        }

        /// Checks periodically, as long as a connection is on its way.
        private func watchHandOvers() {
            let loop = (self.watchers.first { $0.loop.inEventLoop } ?? self.watchers[0]).loop
            _ = loop.scheduleTask(in: Self.stalledAfter) { self.checkHandOvers() }
        }

        private func checkHandOvers() {
            let now = NIODeadline.now()
            for place in self.watchers.indices {
                while let handOver = self.popHandOver(of: place, since: now - Self.stalledAfter) {
                    let next = HandOver(descriptor: handOver.descriptor, peer: handOver.peer, when: now)
                    if let other = self.acceptor.moveFromStalled(place: place) {
                        self.put(next, to: other)
                    } else {
                        // It stays, at the end of the queue. The task that takes it there is already on its way.
                        self.handOvers.withLock { $0.places[place].append(next) }
                    }
                }
            }
            let needsWatch = self.handOvers.withLock { handOvers in
                if let nextCheck = handOvers.nextCheck, nextCheck <= now { handOvers.nextCheck = nil }
                return !handOvers.places.allSatisfy(\.isEmpty) && handOvers.needsWatch(at: now)
            }
            if needsWatch { self.watchHandOvers() }
        }

        private func popHandOver(of place: Int, since limit: NIODeadline) -> HandOver? {
            self.handOvers.withLock { handOvers in
                guard let first = handOvers.places[place].first, first.when <= limit else { return nil }
                return handOvers.places[place].removeFirst()
            }
        }

        /// Called on the loop of that place.
        private func begin(_ handOver: HandOver, _ place: Int) {
            let transport = EpollTransport(
                handOver.descriptor, on: self.watchers[place].loop, at: self.connectionsAddress, peer: handOver.peer,
                options: self.options)
            let acceptor = self.acceptor
            // A transport that cannot begin closes itself, and its connection is notified.
            try? transport.begin { acceptor.makeConnection(place: place, over: $0) }
        }

        // MARK: Closing

        /// The limit of connections that are taken from the queue while the socket closes.
        private static let longestQueue = 4096

        func close(takingQueue: Bool) {
            // First of all: clients that come now shall find a successor, if there is one.
            if self.descriptor.withLock({ $0 >= 0 }) { self.file?.remove() }
            if takingQueue {
                for _ in 0..<Self.longestQueue {
                    guard case .taken = self.takeOne(on: nil) else { break }
                }
            }
            let isFirst = self.descriptor.withLock { descriptor in
                defer { descriptor = -1 }
                if descriptor >= 0 { _ = cepoll_close(descriptor) }
                return descriptor >= 0
            }
            guard isFirst else { return }
            for watcher in self.watchers { watcher.loop.execute { watcher.end() } }
            self.acceptor.portIsFree()
        }

        /// The listening socket as one loop sees it.
        ///
        /// Sendable without a check because all but `hasRefused` is used on its loop only.
        private final class Watcher: PolledDescriptor, @unchecked Sendable {
            let loop: EpollEventLoop
            var listeningSocket: EpollListeningSocket?
            var registration: EpollEventLoop.Registration?
            /// Whether there may be connections that the acceptor did not want.
            let hasRefused = Atomic<Bool>(false)
            private var mayTake = false
            private var isUnfinished = false

            init(on loop: EpollEventLoop) {
                self.loop = loop
            }

            func ready(_ events: UInt32) {
                self.mayTake = true
                self.take()
            }

            func resume() {
                self.isUnfinished = false
                self.take()
            }

            func checkSoon() {
                self.mayTake = true
                self.takeSoon()
            }

            func takeSoon() {
                guard self.mayTake, !self.isUnfinished else { return }
                self.isUnfinished = true
                self.loop.reschedule(self)
            }

            private func take() {
                guard self.mayTake, let listeningSocket else { return }
                // Set before asking, because a change after the answer has to find it set.
                self.hasRefused.store(true, ordering: .releasing)
                switch listeningSocket.takeOne(on: self.loop) {
                case .taken:
                    self.hasRefused.store(false, ordering: .releasing)
                    self.takeSoon()
                case .empty:
                    self.hasRefused.store(false, ordering: .releasing)
                    self.mayTake = false
                case .notWanted, .failed: break
                }
            }

            func end() {
                self.listeningSocket = nil
                if let registration { self.loop.unregister(registration) }
                self.registration = nil
            }

            func loopStops() {
                self.listeningSocket?.close(takingQueue: false)
                self.end()
            }
        }
    }

    extension IOError {
        /// Returns the result of a call that reports errors as negative error numbers.
        static func check(_ result: Int32, _ call: String) throws(IOError) -> Int32 {
            guard result < 0 else { return result }
            throw IOError(errnoCode: -result, reason: call)
        }
    }
#endif
