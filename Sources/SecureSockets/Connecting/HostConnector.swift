import NIOCore
import SocketCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// Connects to a host: resolves its name and tries its addresses (`HappyEyeballs`).
///
/// Sendable without a check because it is used on its event loop only.
final class HostConnector: @unchecked Sendable {
    private let executor: EventLoopExecutor
    private let family: ConnectOptions.AddressFamily
    private let resolver: HostResolver
    private let connector: any AddressConnector
    private var race = HappyEyeballs<SocketAddress>(families: [])
    private var queries: [IPFamily: HostResolver.Query] = [:]
    private var attempts: [ObjectIdentifier: any AddressAttempt] = [:]
    private var failure = ConnectFailure()
    /// The addresses that are known: those of the target, or the answers to the look-ups so far.
    private(set) var addresses: [IPFamily: [SocketAddress]] = [:]
    private var local: SocketAddress?
    /// The next event of the race. There is never more than one.
    private var timer: EventLoopExecutor.Timer?
    #if os(Linux)
        /// Abandoned when the loop is shut down.
        private var endOfLoop: TimerHeap.Timer?
    #endif
    private var attempting: ((SocketAddress) -> Void)?
    private var completion: ((Result<ConnectedTransport, any Error>) -> Void)?

    init(
        on executor: EventLoopExecutor, _ connector: any AddressConnector, family: ConnectOptions.AddressFamily,
        resolver: HostResolver
    ) {
        self.executor = executor
        self.connector = connector
        self.family = family
        self.resolver = resolver
    }

    /// Begins to connect. Called on the loop.
    ///
    /// - Parameters:
    ///   - attempting: The function that is called before each address is tried.
    ///   - completion: The function that is called once with the result, on the loop, unless `giveUp` is called before. It may be called
    ///     before this function returns.
    func start(
        _ target: ConnectTarget, attempting: @escaping (SocketAddress) -> Void,
        completion: @escaping (Result<ConnectedTransport, any Error>) -> Void
    ) {
        self.attempting = attempting
        self.completion = completion
        self.local = target.local
        switch target.host {
        case .address(let address):
            let family: IPFamily = address.protocol == .inet6 ? .v6 : .v4
            self.start([family: [address]])
        case .addresses(let addresses): self.start(addresses)
        case .name(let name):
            let families = self.family.families
            self.race = HappyEyeballs(families: Set(families))
            for family in families where self.completion != nil { self.lookUp(name, target.port, family) }
            if !self.queries.isEmpty { self.watchLoop() }
        }
    }

    private func start(_ addresses: [IPFamily: [SocketAddress]]) {
        self.addresses = addresses
        self.race = HappyEyeballs(families: Set(addresses.keys))
        for family in [IPFamily.v6, .v4] where self.completion != nil {
            if let addresses = addresses[family] { self.perform(self.race.resolved(family, addresses)) }
        }
    }

    /// Ends a look-up when the loop is shut down. Before any address is tried, there is no socket that the loop would close.
    private func watchLoop() {
        #if os(Linux)
            guard let loop = self.executor.loop as? EpollEventLoop else { return }
            self.endOfLoop = loop.schedule(at: .now() + .hours(24 * 365)) {
            } orWhenTheLoopEnds: {
                self.end(.failure(IOError(errnoCode: ECANCELED, reason: "the event loop has been shut down")))
            }
        #endif
    }

    /// Ends everything in progress. Call it on the loop.
    func giveUp() {
        self.completion = nil
        self.attempting = nil
        self.timer?.cancel()
        self.timer = nil
        #if os(Linux)
            if let endOfLoop, let loop = self.executor.loop as? EpollEventLoop { loop.cancel(endOfLoop) }
            self.endOfLoop = nil
        #endif
        for query in self.queries.values { query.cancel() }
        self.queries.removeAll()
        let attempts = self.attempts
        self.attempts.removeAll()
        for attempt in attempts.values { attempt.close() }
    }

    // MARK: Names

    private func lookUp(_ name: HostName, _ port: Int, _ family: IPFamily) {
        let reply = self.resolver.lookUp(name, family) { answer in
            self.executor.loop.execute { self.executor.runTick { self.answered(family, port, answer) } }
        }
        switch reply {
        case .answered(let answer): self.answered(family, port, answer)
        case .pending(let query): self.queries[family] = query
        }
    }

    private func answered(_ family: IPFamily, _ port: Int, _ answer: HostResolver.Answer) {
        guard self.completion != nil else { return }
        self.queries[family] = nil
        var addresses: [SocketAddress] = []
        switch answer {
        case .success(let found): addresses = found
        case .failure(let error): self.failure.lookups.append(error)
        }
        for index in addresses.indices { addresses[index].port = port }
        if !addresses.isEmpty { self.addresses[family] = addresses }
        self.perform(self.race.resolved(family, addresses))
    }

    // MARK: Addresses

    /// Performs an action of the race and those that follow from it immediately. This is a loop because a name may have thousands of
    /// addresses that all fail immediately.
    private func perform(_ action: HappyEyeballs<SocketAddress>.Action) {
        var next: HappyEyeballs<SocketAddress>.Action? = action
        while let action = next, self.completion != nil {
            next = nil
            switch action {
            case .none: break
            case .waitForPreferredFamily:
                self.after(HappyEyeballsTiming.resolutionDelay) { self.perform(self.race.resolutionDelayPassed()) }
            case .attempt(let address):
                self.after(HappyEyeballsTiming.attemptDelay) { self.perform(self.race.attemptDelayPassed()) }
                do {
                    try self.attempt(address)
                } catch {
                    self.failure.attempts.append(error.errnoCode)
                    next = self.race.attemptFailed()
                }
            case .exhausted: self.end(.failure(self.failure))
            }
        }
    }

    private func after(_ milliseconds: Int64, _ body: @escaping () -> Void) {
        self.timer?.cancel()
        self.timer = self.executor.after(.milliseconds(milliseconds), body)
    }

    private func attempt(_ address: SocketAddress) throws(IOError) {
        self.attempting?(address)
        var id: ObjectIdentifier?
        let attempt = try self.connector.connect(to: address, from: self.local) { result in
            guard let id else { return }
            self.attempts[id] = nil
            switch result {
            case .success(let transport): self.end(.success(transport))
            case .failure(let error):
                self.failure.attempts.append(error.errnoCode)
                self.perform(self.race.attemptFailed())
            }
        }
        id = ObjectIdentifier(attempt)
        self.attempts[ObjectIdentifier(attempt)] = attempt
    }

    private func end(_ result: Result<ConnectedTransport, any Error>) {
        let completion = self.completion
        self.giveUp()
        completion?(result)
    }
}

/// Connects to one address. Used on the loop.
protocol AddressConnector: AnyObject {
    /// Begins an attempt.
    ///
    /// - Parameter completion: The function that is called once with the result, after this function has returned, unless the attempt is
    ///   closed before.
    func connect(
        to address: SocketAddress, from local: SocketAddress?,
        completion: @escaping (Result<ConnectedTransport, IOError>) -> Void
    ) throws(IOError) -> any AddressAttempt
}

/// An attempt to connect to one address.
protocol AddressAttempt: AnyObject {
    func close()
}

/// The destination of a connection.
struct ConnectTarget {
    enum Host {
        case address(SocketAddress)
        case name(HostName)
        /// The addresses of a name that was looked up before.
        case addresses([IPFamily: [SocketAddress]])
    }

    let host: Host
    let port: Int
    /// The local address; nil lets the operating system choose.
    let local: SocketAddress?
}

/// A connected transport that has no connection yet.
struct ConnectedTransport {
    /// Creates the connection.
    let begin: (@escaping (any Transport) -> Connection?) throws -> Void
    let close: () -> Void
}

/// The failure to connect to any address.
struct ConnectFailure: Error {
    /// The failures of look-ups.
    var lookups: [HostResolver.Failure] = []
    /// The errors of the addresses that were tried.
    var attempts: [Int32] = []
}

extension ConnectOptions.AddressFamily {
    /// The families, the preferred one first.
    fileprivate var families: [IPFamily] {
        (self.usesIPv6 ? [.v6] : []) + (self.usesIPv4 ? [.v4] : [])
    }
}
