#if os(Linux)
    import CEpoll
    import NIOCore
    import SocketCore

    #if canImport(Musl)
        import Musl
    #else
        import Glibc
    #endif

    /// A transport over a TCP socket on one of our own loops.
    ///
    /// Theory of operation. The descriptor is watched edge-triggered: an event reports that something has become possible, and it stays
    /// possible until a call has found that it is not (`mayReceive`). A short read indicates that as well, unless the peer's end or urgent
    /// data follows: the kernel stops at an urgent byte and returns it, in its place (`SO_OOBINLINE`), with the next read. Pausing is
    /// therefore just not reading. Writing is tried at once; bytes that the kernel does not take wait in `unsent` until it reports room,
    /// and only from then on is the descriptor watched for that.
    ///
    /// Reading and writing fail independently: after a failed write, data that the peer has sent can still be received.
    final class EpollTransport: Transport, PolledDescriptor {
        let loop: EpollEventLoop
        private let descriptor: Int32
        private(set) var localAddress: SocketAddress?
        let remoteAddress: SocketAddress?
        private let outputLimit: Int
        private let isUnix: Bool
        @exclusivity(unchecked) private var connection: Connection?
        private var registration: EpollEventLoop.Registration?

        // Unchecked exclusivity is sound: these are used on the loop only, and no access calls code that accesses them again.
        @exclusivity(unchecked) private var isReading = false
        @exclusivity(unchecked) private var mayReceive = false
        /// Whether more may follow a short read: the peer's end, an error, or urgent data.
        @exclusivity(unchecked) private var moreMayFollowShortRead = false
        @exclusivity(unchecked) private var isReceiving = false
        @exclusivity(unchecked) private var isUnfinished = false
        /// Whether the kernel has reported that the connection is over in both directions. It does so only once.
        @exclusivity(unchecked) private var hasHungUp = false
        @exclusivity(unchecked) private var hasReceivedEnd = false

        @exclusivity(unchecked) private var unsent = OutputQueue()
        private var isWatchedForRoom = false
        @exclusivity(unchecked) private var wasFull = false
        @exclusivity(unchecked) private var isWritingBroken = false
        @exclusivity(unchecked) private var sendingFailure: Int32 = 0
        /// The reason for which the connection was lost. The kernel reports it only once, to the first call that fails; a later call sees
        /// an ordinary end.
        private var loss: Int32?
        @exclusivity(unchecked) private var hasClosedWriting = false
        /// Runs when everything that was written has been handed over.
        private var finishing: (() -> Void)?
        @exclusivity(unchecked) private var isClosed = false

        /// Takes ownership of a connected descriptor. It is closed with this object at the latest.
        ///
        /// - Parameter localAddress: The descriptor's local address if the caller knows it; nil to query it.
        init(
            _ descriptor: Int32, on loop: EpollEventLoop, at localAddress: SocketAddress? = nil, peer: SocketAddress?,
            options: SocketOptions
        ) {
            self.localAddress = localAddress
            self.descriptor = descriptor
            self.loop = loop
            self.remoteAddress = peer
            self.isUnix = peer?.isUnix ?? false
            self.outputLimit = options.outputLimit
        }

        deinit {
            if !self.isClosed { _ = cepoll_close(self.descriptor) }
        }

        var eventLoop: any EventLoop { self.loop }

        /// Begins to watch the descriptor for the connection that `connect` creates. Closes it if `connect` returns nil or if this throws.
        /// Called on the loop.
        func begin(_ connect: (EpollTransport) -> Connection?) throws(IOError) {
            self.localAddress = self.localAddress ?? SocketAddress.local(of: self.descriptor)
            self.connection = connect(self)
            guard self.connection != nil, !self.isClosed else {
                self.close()
                throw IOError(errnoCode: ECANCELED, reason: "there is no connection for it")
            }
            do {
                self.registration = try self.loop.register(self.descriptor, for: Self.receiving, self)
                self.loop.ownExecutor?.countConnection(1)
            } catch {
                self.close()
                throw error
            }
            self.connection?.transportBegan()
        }

        private static let receiving = cepoll_in | cepoll_urgent | cepoll_peer_ended | cepoll_edge_triggered

        // MARK: Events

        func ready(_ events: UInt32) {
            let behind = cepoll_peer_ended | cepoll_hang_up | cepoll_error | cepoll_urgent
            if events & (cepoll_in | behind) != 0 { self.mayReceive = true }
            if events & behind != 0 { self.moreMayFollowShortRead = true }
            if events & (cepoll_out | cepoll_error) != 0, self.unsentBytes > 0 { self.sendOn() }
            if events & cepoll_hang_up != 0 { self.hasHungUp = true }
            if self.isReading { self.receive() }
            self.reportHangUp()
        }

        /// Reports a hang-up while nothing is read, which would otherwise find it. Reading may have been paused by what was read before it.
        private func reportHangUp() {
            if self.hasHungUp, !self.isReading { self.connection?.transportHungUp() }
        }

        func resume() {
            self.isUnfinished = false
            self.receive()
            self.reportHangUp()
        }

        func loopStops() {
            self.close()
        }

        var servedConnection: Connection? { self.connection }

        private func resumeSoon() {
            guard !self.isUnfinished else { return }
            self.isUnfinished = true
            self.loop.reschedule(self)
        }

        // MARK: Receiving

        /// The limit of reads per round, so that a busy connection does not keep the loop from the others.
        private static let receivesPerRound = 4

        func setReading(_ isReading: Bool) {
            self.isReading = isReading
            // Not immediately: the caller is in the middle of an operation.
            if isReading, self.mayReceive, !self.isReceiving { self.resumeSoon() }
        }

        private func receive() {
            guard !self.isReceiving else { return }
            self.isReceiving = true
            defer { self.isReceiving = false }
            var rounds = Self.receivesPerRound
            while self.isReading, self.mayReceive, !self.isClosed {
                if rounds == 0 { return self.resumeSoon() }
                rounds -= 1
                let buffer = self.loop.inputBuffer
                let result = cepoll_receive(self.descriptor, buffer.baseAddress, UInt(buffer.count))
                if result > 0 {
                    // A read of a Unix domain socket also ends behind descriptors that the peer has sent.
                    if result < buffer.count, !self.moreMayFollowShortRead, !self.isUnix { self.mayReceive = false }
                    self.connection?.transportRead(borrowing: UnsafeRawBufferPointer(rebasing: buffer[..<result]))
                } else if result == 0, let loss {
                    self.receivingFailed(loss)
                } else if result == 0 {
                    self.receivedEnd()
                } else if result < 0 {
                    self.receivingFailed(Int32(truncatingIfNeeded: -result))
                }
            }
        }

        private func receivedEnd() {
            self.mayReceive = false
            self.hasReceivedEnd = true
            self.connection?.transportEnded()
            self.closeIfBothHaveEnded()
        }

        private func receivingFailed(_ number: Int32) {
            switch number {
            case EAGAIN: self.mayReceive = false
            case EINTR: break
            default:
                self.mayReceive = false
                self.connection?.transportBroke(IOError(errnoCode: number, reason: "recv"))
                self.close()
            }
        }

        // MARK: Sending

        var unsentBytes: Int { self.unsent.byteCount }

        var isWritable: Bool { self.unsentBytes < self.outputLimit }

        var acknowledgedBytes: UInt64 { self.isClosed || self.isUnix ? 0 : cepoll_acknowledged(self.descriptor) }

        // What a Unix domain socket has taken is with the peer: it can be received even when this process has ended.
        var unacknowledgedBytes: Int {
            self.isClosed || self.isUnix ? 0 : max(cepoll_unacknowledged(self.descriptor), 0)
        }

        var hasUnreadBytes: Bool { !self.isClosed && cepoll_unread(self.descriptor) > 0 }

        func write(_ bytes: ByteBuffer) {
            guard !self.isClosed, !self.isWritingBroken, !self.hasClosedWriting, bytes.readableBytes > 0 else { return }
            guard self.unsent.isEmpty else { return self.keep(bytes) }
            let sent = self.send(bytes)
            if self.isWritingBroken { return self.writingHasFailed() }
            guard sent < bytes.readableBytes else { return }
            var rest = bytes
            rest.moveReaderIndex(forwardBy: sent)
            self.keep(rest)
            self.watchForRoom()
        }

        private func keep(_ bytes: ByteBuffer) {
            self.unsent.append(bytes)
            if !self.isWritable { self.wasFull = true }
        }

        /// Returns the number of bytes that the kernel has taken.
        private func send(_ bytes: ByteBuffer) -> Int {
            while true {
                let result = bytes.withUnsafeReadableBytes { cepoll_send(self.descriptor, $0.baseAddress, UInt($0.count)) }
                if result >= 0 { return result }
                switch Int32(truncatingIfNeeded: -result) {
                case EINTR: continue
                case EAGAIN: return 0
                case let number:
                    self.isWritingBroken = true
                    self.sendingFailure = number
                    return 0
                }
            }
        }

        private func watchForRoom() {
            guard !self.isWatchedForRoom, let registration else { return }
            self.isWatchedForRoom = true
            self.loop.change(registration, of: self.descriptor, to: Self.receiving | cepoll_out)
        }

        private func sendOn() {
            while !self.unsent.isEmpty {
                _ = self.unsent.withFirst { self.send($0) }
                if self.isWritingBroken { return self.writingHasFailed() }
                guard let used = self.unsent.removeUsedFirst() else { break }
                self.loop.ownExecutor?.recycle(used)
            }
            if self.unsent.isEmpty { self.allIsSent() }
            if self.wasFull, self.unsentBytes <= self.outputLimit / 2 {
                self.wasFull = false
                self.connection?.transportDrained()
            }
        }

        /// Handles a failure that `send` has recorded.
        private func writingHasFailed() {
            let number = self.sendingFailure
            // EPIPE reports only that writing is over: the peer may have ended in order before.
            if number != EPIPE { self.loss = number }
            self.unsent.removeAll()
            self.connection?.transportCannotSend(IOError(errnoCode: number, reason: "send"))
            self.allIsSent()
        }

        // MARK: Closing

        func closeWriting(with bytes: ByteBuffer?, completion: @escaping () -> Void) {
            if let bytes { self.write(bytes) }
            guard !self.hasClosedWriting else { return completion() }
            self.hasClosedWriting = true
            self.finishing = completion
            if self.unsent.isEmpty { self.allIsSent() }
        }

        private func allIsSent() {
            guard let finishing else { return }
            self.finishing = nil
            finishing()
            guard !self.isClosed else { return }
            if !self.hasReceivedEnd { _ = cepoll_close_writing(self.descriptor) }
            self.closeIfBothHaveEnded()
        }

        private func closeIfBothHaveEnded() {
            if self.hasReceivedEnd, self.hasClosedWriting, self.finishing == nil { self.close() }
        }

        func reset() {
            if !self.isClosed { _ = cepoll_reset_on_close(self.descriptor) }
            self.close()
        }

        func replaceConnection(with connection: Connection) { self.connection = connection }

        func setNoDelay(_ isOn: Bool, completion: @escaping (Result<Void, SecureSocketError>) -> Void) {
            if self.isUnix, !self.isClosed { return completion(.success(())) }
            let result = self.isClosed ? -EBADF : cepoll_set_no_delay(self.descriptor, isOn ? 1 : 0)
            completion(result < 0 ? .failure(.system(-result, step: .configuring, "cannot set TCP_NODELAY")) : .success(()))
        }

        func close() {
            guard !self.isClosed else { return }
            self.isClosed = true
            if let registration {
                self.loop.unregister(registration)
                self.loop.ownExecutor?.countConnection(-1)
            }
            self.registration = nil
            _ = cepoll_close(self.descriptor)
            self.unsent.removeAll()
            let finishing = self.finishing
            self.finishing = nil
            finishing?()
            // The last report comes after the call that closes.
            self.loop._executeIsolatedUnsafeUnchecked {
                self.connection?.transportClosed()
                self.connection = nil
            }
        }
    }

    extension SocketAddress {
        init?(_ storage: sockaddr_storage) {
            var storage = storage
            switch Int32(storage.ss_family) {
            case AF_INET:
                self = withUnsafePointer(to: &storage) {
                    $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
                }
            case AF_INET6:
                self = withUnsafePointer(to: &storage) {
                    $0.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
                }
            case AF_UNIX:
                self = withUnsafeMutablePointer(to: &storage) {
                    $0.withMemoryRebound(to: sockaddr_un.self, capacity: 1) { address in
                        // The name that a client has chosen may fill the field without a NUL at its end.
                        withUnsafeMutableBytes(of: &address.pointee.sun_path) { path in path[path.count - 1] = 0 }
                        return SocketAddress(address.pointee)
                    }
                }
            default: return nil
            }
        }

        /// Whether it is the wildcard address, which stands for all addresses of the machine.
        var isWildcard: Bool { ["0.0.0.0", "::", "::ffff:0.0.0.0"].contains(self.ipAddress) }

        /// Returns the local address of a socket.
        static func local(of descriptor: Int32) -> SocketAddress? {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            return cepoll_local_address(descriptor, &storage, &length) < 0 ? nil : SocketAddress(storage)
        }
    }
#endif
