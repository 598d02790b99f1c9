import NIOCore
import NIOPosix
import SocketCore
import Synchronization
import TestSupport
import Testing

@testable import SecureSockets

/// From the host's name to the first byte of TLS.
@Suite(.timeLimit(.minutes(5))) struct `Connecting` {
    /// Whose loops are used. Both resolve and race in the same way.
    enum Loops: String, CaseIterable, Codable {
        case own, ofNIO

        var group: any EventLoopGroup {
            self == .own ? SocketEventLoopGroup.shared : .singletonMultiThreadedEventLoopGroup
        }
    }

    private let names = ManualResolver()
    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    private func attempt(
        _ host: String, port: Int = 443, on group: any EventLoopGroup, with resolver: HostResolver,
        addresses: (any AddressConnector)? = nil, family: ConnectOptions.AddressFamily = .any
    ) throws -> ConnectAttempt {
        let target = ConnectTarget(host: try ConnectTarget.Host(host, port: port), port: port, local: nil)
        return ConnectAttempt(
            host: host, target: target, tls: try TLSClientConfiguration(trust: self.certificates.trust, serverName: "localhost"),
            options: SocketOptions(), family: family, loop: group.any(), resolver: resolver, addressConnector: addresses)
    }

    private func failure(of attempt: ConnectAttempt, within timeout: Duration? = Encounter.patience) async throws
        -> SecureSocketError
    {
        try await #require(throws: SecureSocketError.self) { _ = try await attempt.run(timeout: timeout) }
    }

    /// Addresses that never answer, as behind a firewall.
    private final class SilentAddresses: AddressConnector {
        private final class Attempt: AddressAttempt { func close() {} }

        func connect(
            to address: SocketAddress, from local: SocketAddress?,
            completion: @escaping (Result<ConnectedTransport, IOError>) -> Void
        ) throws(IOError) -> any AddressAttempt { Attempt() }
    }

    // MARK: Names

    @Test(arguments: Loops.allCases)
    func `goes to an address of the name, and leaves no look-up behind`(_ loops: Loops) async throws {
        defer { self.names.open() }
        let resolver = self.names.hostResolver()
        // The other family's look-up stays blocked.
        self.names.answer("server.test", .v4, .success([try SocketAddress(ipAddress: "127.0.0.1", port: 0)]))
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: .patient)
        async let accepted = listener.accept(timeout: Encounter.patience)
        let socket = try await self.attempt("server.test", port: listener.localEndpoint.port, on: loops.group, with: resolver)
            .run(timeout: Encounter.patience)
        #expect(socket.remoteEndpoint == listener.localEndpoint)
        #expect(resolver.counts.callers == 0)
        _ = try await accepted
    }

    @Test(arguments: ["localhost", "LocalHost", "localhost.", "[127.0.0.1]"])
    func `verifies the name in whatever form it is given`(_ host: String) async throws {
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: .patient)
        async let accepted = listener.accept(timeout: Encounter.patience)
        _ = try await SecureSocket.connect(
            to: host, port: listener.localEndpoint.port, tls: self.certificates.clientConfiguration(), timeout: Encounter.patience
        )
        let asked = try await accepted.information.serverName?.lowercased()
        #expect(asked == (host == "[127.0.0.1]" ? nil : "localhost"))
    }

    @Test(arguments: Loops.allCases)
    func `tries the next address when one refuses`(_ loops: Loops) async throws {
        let resolver = self.names.hostResolver()
        let listener = try await SecureListener.bind(
            host: "127.0.0.2", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: .patient)
        try self.names.answer("server.test", "127.0.0.1", "127.0.0.2")
        async let accepted = listener.accept(timeout: Encounter.patience)
        let socket = try await self.attempt("server.test", port: listener.localEndpoint.port, on: loops.group, with: resolver)
            .run(timeout: Encounter.patience)
        #expect(socket.remoteEndpoint?.host == "127.0.0.2")
        _ = try await accepted
    }

    @Test(arguments: Loops.allCases)
    func `to localhost works while other names do not answer`(_ loops: Loops) async throws {
        defer { self.names.open() }
        let resolver = self.names.hostResolver(limits: .init(threads: 2, waiting: 100))
        for index in 0..<20 {
            let error = try await self.failure(
                of: self.attempt("a.example\(index)", on: loops.group, with: resolver), within: .milliseconds(1))
            #expect(error.code == .timedOut)
        }
        #expect(resolver.counts.callers == 0)
        #expect(resolver.counts.waiting == 0)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: self.certificates.serverConfiguration(), socketOptions: .patient, options: .patient)
        async let accepted = listener.accept(timeout: Encounter.patience)
        _ = try await self.attempt("localhost", port: listener.localEndpoint.port, on: loops.group, with: resolver)
            .run(timeout: Encounter.patience)
        _ = try await accepted
    }

    @Test(arguments: Loops.allCases)
    func `to many names fails at once for those that have no place, and not for others`(_ loops: Loops) async throws {
        let resolver = self.names.hostResolver(limits: .init(threads: 8, waiting: 16))
        let slow = try (0..<3).map { try self.attempt("n\($0).slow.example", on: loops.group, with: resolver) }
        let waiting = slow.map { attempt in Task { try await attempt.run(timeout: nil) } }
        // Both families of the first run, and those of the others wait.
        while resolver.counts.callers < 6 { await Task.yield() }
        let error = try await self.failure(of: self.attempt("n4.slow.example", on: loops.group, with: resolver), within: nil)
        #expect(error.code == .tooManyLookups)
        #expect(error.blame == .system)
        #expect(error.step == .resolving)
        #expect(
            error.description
                == "the host name n4.slow.example was not looked up: 4 look-ups under slow.example are waiting already. "
                + "Check that the name servers answer, and connect to fewer hosts at a time")
        try self.names.answer("honest.test", "127.0.0.1")
        let dead = try RawListener(isListening: false)
        let honest = try await self.failure(of: self.attempt("honest.test", port: dead.port, on: loops.group, with: resolver))
        #expect(honest.code == .connectionRefused)
        self.names.open()
        for task in waiting { await #expect(throws: SecureSocketError.self) { _ = try await task.value } }
    }

    // MARK: Giving up

    @Test(arguments: Loops.allCases)
    func `that is cancelled many times leaves nothing behind`(_ loops: Loops) async throws {
        defer { self.names.open() }
        let resolver = self.names.hostResolver(limits: .init(threads: 4, waiting: 4000))
        weak var last: ConnectAttempt?
        do {
            var tasks: [Task<SecureSocket, any Error>] = []
            for index in 0..<500 {
                let attempt = try self.attempt("n\(index).example\(index)", on: loops.group, with: resolver)
                last = attempt
                tasks.append(Task { try await attempt.run(timeout: .seconds(3600)).secure() })
            }
            while resolver.counts.callers < 1000 { await Task.yield() }
            for task in tasks { task.cancel() }
            for task in tasks {
                let error = await #expect(throws: SecureSocketError.self) { _ = try await task.value }
                #expect(error?.code == .cancelled)
                #expect(error?.step == .resolving)
            }
        }
        #expect(resolver.counts.callers == 0)
        #expect(resolver.counts.waiting == 0)
        // A timer or a completion would still refer to it.
        let deadline = ContinuousClock.now + Encounter.patience
        while last != nil, ContinuousClock.now < deadline { await Task.yield() }
        #expect(last == nil)
    }

    @Test(arguments: Loops.allCases)
    func `that is cancelled while an address does not answer closes its sockets`(_ loops: Loops) async throws {
        await #expect(processExitsWith: .success) { [loops] in
            let listener = try RawListener(isFull: true)
            let tls = try TestCertificates.shared.get().clientConfiguration()
            let before = OpenDescriptors.count
            var tasks: [Task<SecureSocket, any Error>] = []
            for _ in 0..<50 {
                tasks.append(
                    Task {
                        try await SecureSocket.connect(
                            to: "localhost", port: listener.port, tls: tls, socketOptions: .patient, timeout: nil, on: loops.group
                        )
                    })
            }
            while OpenDescriptors.count < before + 50 { await Task.yield() }
            for task in tasks { task.cancel() }
            for task in tasks {
                let error = await #expect(throws: SecureSocketError.self) { _ = try await task.value }
                #expect(error?.code == .cancelled)
                #expect(error?.step == .connecting)
            }
            #expect(await OpenDescriptors.count(comingDownTo: before) == before)
        }
    }

    @Test(arguments: Loops.allCases)
    func `without descriptors says so, for names as well, and leaves nothing open`(_ loops: Loops) async {
        await #expect(processExitsWith: .success) { [loops] in
            let dead = try RawListener(isListening: false)
            let tls = try TestCertificates.shared.get().clientConfiguration()
            func failure(_ host: String) async -> SecureSocketError? {
                await #expect(throws: SecureSocketError.self) {
                    _ = try await SecureSocket.connect(to: host, port: dead.port, tls: tls, on: loops.group)
                }
            }
            // What is made once is made now.
            #expect(await failure("localhost")?.code == .connectionRefused)
            let before = OpenDescriptors.count
            try await DescriptorLimit.withNoneLeft {
                for (host, step) in [
                    ("127.0.0.1", SecureSocketError.Step.connecting), ("localhost", .connecting), ("a.invalid", .resolving),
                ] {
                    let error = await failure(host)
                    #expect(error?.code == .tooManyOpenFiles, "\(host)")
                    #expect(error?.step == step, "\(host)")
                }
            }
            #expect(OpenDescriptors.count == before)
            #expect(await failure("localhost")?.code == .connectionRefused)
        }
    }

    #if os(Linux)
        @Test func `ends when its loops are shut down while a name is being looked up`() async throws {
            defer { self.names.open() }
            let resolver = self.names.hostResolver()
            let group = try SocketEventLoopGroup(numberOfLoops: 1)
            let attempt = try self.attempt("slow.example", on: group, with: resolver)
            let connecting = Task { try await attempt.run(timeout: nil) }
            while resolver.counts.callers < 2 { await Task.yield() }
            try await group.shutdownGracefully()
            let error = await #expect(throws: SecureSocketError.self) { _ = try await connecting.value }
            #expect(error?.step == .resolving)
            #expect(resolver.counts.callers == 0)
            // Nor does it begin after that.
            _ = try await self.failure(of: self.attempt("slow.example", on: group, with: resolver), within: nil)
            #expect(resolver.counts.callers == 0)
        }
    #endif

    // MARK: The step of an error

    @Test(arguments: Loops.allCases)
    func `that times out tells that the name was being resolved`(_ loops: Loops) async throws {
        defer { self.names.open() }
        let attempt = try self.attempt("slow.example", on: loops.group, with: self.names.hostResolver())
        let error = try await self.failure(of: attempt, within: .milliseconds(20))
        #expect(error.code == .timedOut)
        #expect(error.step == .resolving)
        #expect(
            error.description
                == "the host name slow.example was not resolved within 20 ms. Check that this machine's name server can be reached"
        )
    }

    @Test(arguments: Loops.allCases)
    func `that times out later names the addresses that were tried`(_ loops: Loops) async throws {
        try self.names.answer("server.test", "192.0.2.1")
        let attempt = try self.attempt(
            "server.test", on: loops.group, with: self.names.hostResolver(), addresses: SilentAddresses(), family: .v4)
        let error = try await self.failure(of: attempt, within: .milliseconds(100))
        #expect(error.code == .timedOut)
        #expect(error.step == .connecting)
        #expect(error.message == "server.test:443 (192.0.2.1) did not answer within 0.1 seconds")
    }

    @Test func `names some of the addresses if there were many`() {
        var tried = TriedAddresses()
        for number in 1...10 {
            if let address = try? SocketAddress(ipAddress: "192.0.2.\(number)", port: 443) { tried.append(address) }
        }
        #expect(tried.description == " (192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4 and 6 more)")
        #expect(TriedAddresses().description == "")
    }

    @Test(arguments: Loops.allCases)
    func `to an address that does not answer names it once`(_ loops: Loops) async throws {
        let listener = try RawListener(isFull: true)
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(
                to: "127.0.0.1", port: listener.port, tls: self.certificates.clientConfiguration(), timeout: .milliseconds(100),
                on: loops.group)
        }
        #expect(error.code == .timedOut)
        #expect(error.step == .connecting)
        #expect(error.message == "127.0.0.1:\(listener.port) did not answer within 0.1 seconds")
    }

    @Test(arguments: Loops.allCases)
    func `that times out in the handshake names the address that was connected to`(_ loops: Loops) async throws {
        let server = try RawListener()
        try self.names.answer("server.test", "127.0.0.1")
        async let played: Void = server.play { try $0.receiveUntilEnd() }
        let attempt = try self.attempt("server.test", port: server.port, on: loops.group, with: self.names.hostResolver())
        let error = try await self.failure(of: attempt, within: .milliseconds(500))
        #expect(error.code == .timedOut)
        #expect(error.step == .handshake)
        #expect(error.message == "the handshake with server.test:\(server.port) (127.0.0.1) was not complete within 0.5 seconds")
        try await played
    }

    @Test(arguments: Loops.allCases, [("localhost", SecureSocketError.Step.resolving), ("127.0.0.1", .connecting)])
    func `that has no time tells what it would have done first`(
        _ loops: Loops, _ expected: (host: String, step: SecureSocketError.Step)
    ) async throws {
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureSocket.connect(
                to: expected.host, port: 443, tls: self.certificates.clientConfiguration(), timeout: .zero, on: loops.group)
        }
        #expect(error.code == .timedOut)
        #expect(error.step == expected.step)
    }

    @Test(arguments: Loops.allCases)
    func `to a name without addresses tells what is wrong with it`(_ loops: Loops) async throws {
        let resolver = self.names.hostResolver()
        func failure(_ v4: HostResolver.Failure, _ v6: HostResolver.Failure) async throws -> SecureSocketError {
            self.names.answer("server.test", .v4, .failure(v4))
            self.names.answer("server.test", .v6, .failure(v6))
            return try await self.failure(of: self.attempt("server.test", on: loops.group, with: resolver))
        }
        let unknown = try await failure(.resolver(EAI_NONAME), .resolver(EAI_NONAME))
        #expect(unknown.code == .nameNotFound)
        #expect(unknown.step == .resolving)
        // One family is enough to know that there is no such name.
        #expect(try await failure(.resolver(EAI_AGAIN), .resolver(EAI_NONAME)) == unknown)
        let noAnswer = try await failure(.resolver(EAI_AGAIN), .resolver(EAI_AGAIN))
        #expect(noAnswer.code == .unreachable)
        #expect(noAnswer.step == .resolving)
        #expect(noAnswer.blame == .network)
        let noDescriptors = try await failure(.resolver(EAI_NONAME), .system(EMFILE))
        #expect(noDescriptors.code == .tooManyOpenFiles)
        #expect(noDescriptors.step == .resolving)
    }
}
