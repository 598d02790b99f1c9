import Foundation
import NIOCore
import SecureSockets
import SecureSocketsTesting
import Synchronization

/// The demonstration of `tls demo`: a server and its clients in one process.
struct Demonstration: Sendable {
    private let authority: DevelopmentAuthority
    private let listener: SecureListener
    private let tell: @Sendable (any Report) throws -> Void

    /// The name that the client requests and verifies. It connects to the address, so that no resolver is involved.
    private static let serverName = "localhost"
    private static let timeout = Duration.seconds(10)
    private static let greetings = ["Hello, server.", "Здравствуй, 世界 🌍"]
    private static let largeMessage = 1 << 20

    /// Makes the certificates and listens on a free port.
    init(tell: @escaping @Sendable (any Report) throws -> Void) async throws {
        self.tell = tell
        let ((authority, server), duration) = try await Self.timed {
            let authority = try DevelopmentAuthority()
            return (authority, try authority.intermediate(pathLength: 0).server())
        }
        self.authority = authority
        try tell(DemoReports.Certificates(authority: authority.certificate, server: server.certificate, duration))
        self.listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: server.identity))
        try tell(DemoReports.Listening(self.listener.localEndpoint))
    }

    /// Runs the demonstration, and then keeps serving while `stay` runs.
    ///
    /// - Parameter log: The function that gets reports on connections while `stay` runs.
    /// - Throws: The error that made the demonstration fail.
    func run(
        log: @escaping @Sendable (any Report) -> Void = { _ in }, stay: (() async -> Void)? = nil
    ) async throws {
        let observer = Observer(log)
        let service = Service(
            listener: self.listener, echo: EchoService(answersHTTP: true), grace: .seconds(5), log: { observer.add($0) })
        try await service.run {
            try await self.showConnection()
            try await self.showRefusal(observer)
            guard let stay else { return try self.tell(DemoReports.Done()) }
            let folder = try AuthorityFolder(self.authority)
            defer { folder.remove() }
            try self.tell(DemoReports.Staying(authority: folder.path, port: self.listener.localEndpoint.port))
            observer.beginLogging()
            await stay()
        }
    }

    private func connect(trusting authority: DevelopmentAuthority) async throws -> SecureSocket {
        let tls = try TLSClientConfiguration(trust: authority.trust, serverName: Self.serverName)
        return try await SecureSocket.connect(
            to: self.listener.localEndpoint.host, port: self.listener.localEndpoint.port, tls: tls, timeout: Self.timeout)
    }

    // MARK: The connection

    private func showConnection() async throws {
        let (socket, duration) = try await Self.timed { try await self.connect(trusting: self.authority) }
        try self.tell(DemoReports.Connected(connection: ConnectionReport(socket), milliseconds: duration.milliseconds))
        for greeting in Self.greetings { try await self.showEcho(ByteBuffer(string: greeting), greeting, on: socket) }
        let large = ByteBuffer(bytes: (0..<Self.largeMessage).lazy.map { UInt8(truncatingIfNeeded: $0 &* 31) })
        try await self.showEcho(large, nil, on: socket)
        try await self.showEnd(of: socket)
    }

    private func showEcho(_ message: ByteBuffer, _ text: String?, on socket: SecureSocket) async throws {
        let (echo, duration) = try await Self.timed {
            // The first bytes of a large message come back before the last ones are sent.
            async let sending: Void = socket.send(message, timeout: Self.timeout)
            let echo = try await socket.receive(exactly: message.readableBytes, timeout: Self.timeout)
            try await sending
            return echo
        }
        guard echo == message else {
            throw ToolError.demonstration("the echo of \(message.readableBytes) bytes differs from what was sent")
        }
        try self.tell(DemoReports.Echoed(text: text, bytes: message.readableBytes, duration))
    }

    private func showEnd(of socket: SecureSocket) async throws {
        let (rest, duration) = try await Self.timed {
            try await socket.closeWriting()
            let rest = try await socket.receive(timeout: Self.timeout)
            socket.close()
            try await socket.waitUntilClosed()
            return rest
        }
        guard rest == nil else { throw ToolError.demonstration("bytes arrived instead of the end of the stream") }
        try self.tell(DemoReports.Closed(milliseconds: duration.milliseconds))
    }

    // MARK: The refusal

    private func showRefusal(_ observer: Observer) async throws {
        let stranger = try DevelopmentAuthority(commonName: "Another authority")
        do {
            let socket = try await self.connect(trusting: stranger)
            socket.close()
        } catch let error as SecureSocketError where error.code == .certificateVerificationFailed {
            let seen = await observer.refusal(within: Self.timeout)
            return try self.tell(
                DemoReports.Refused(trusted: stranger.certificate, error: ErrorReport(error), serverSaw: seen?.error))
        }
        throw ToolError.demonstration("a client that does not trust the authority accepted the certificate")
    }

    private static func timed<Value>(_ body: () async throws -> Value) async throws -> (Value, Duration) {
        let start = ContinuousClock.now
        let value = try await body()
        return (value, ContinuousClock.now - start)
    }
}

extension Demonstration {
    /// The receiver of the service's reports: keeps refusals during the demonstration, and logs all reports after it.
    private final class Observer: Sendable {
        private let refusals: AsyncStream<RefusedReport>
        private let refused: AsyncStream<RefusedReport>.Continuation
        private let log: @Sendable (any Report) -> Void
        private let isLogging = Atomic(false)

        init(_ log: @escaping @Sendable (any Report) -> Void) {
            (self.refusals, self.refused) = AsyncStream.makeStream()
            self.log = log
        }

        func add(_ report: any Report) {
            if self.isLogging.load(ordering: .acquiring) { return self.log(report) }
            if let report = report as? RefusedReport { self.refused.yield(report) }
        }

        func beginLogging() { self.isLogging.store(true, ordering: .releasing) }

        /// Returns the server's report on a client's refusal; nil if there is none in time.
        func refusal(within timeout: Duration) async -> RefusedReport? {
            await withTaskGroup(of: RefusedReport?.self) { group in
                group.addTask { await self.refusals.first { _ in true } }
                group.addTask {
                    try? await Task.sleep(for: timeout)
                    return nil
                }
                defer { group.cancelAll() }
                return await group.next() ?? nil
            }
        }
    }

    /// A temporary folder with the authority's certificate, so that other programs can trust it.
    private struct AuthorityFolder {
        private let folder: URL

        var path: String { self.folder.appendingPathComponent("ca.pem").path }

        init(_ authority: DevelopmentAuthority) throws(ToolError) {
            self.folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-demo-\(UUID().uuidString)")
            do {
                try FileManager.default.createDirectory(
                    at: self.folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
                try Data(authority.certificatePEM.utf8).write(to: self.folder.appendingPathComponent("ca.pem"))
            } catch {
                throw .folderUnusable("\(self.path) cannot be written: \(error.localizedDescription)")
            }
        }

        func remove() { try? FileManager.default.removeItem(at: self.folder) }
    }
}
