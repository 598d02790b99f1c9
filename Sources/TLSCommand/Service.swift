import SecureSockets

/// An echo server. When it is stopped, it accepts no more connections, and gives open ones a grace period.
struct Service: Sendable {
    var listener: SecureListener
    var echo: EchoService
    /// The grace period: the time after the stop at which open connections are cancelled.
    var grace: Duration
    /// The function that gets the reports on connections. It is called on an event loop and must return at once.
    var log: @Sendable (any Report) -> Void

    /// Serves while `body` runs, and then until all connections have ended or the grace period is over.
    func run(while body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.serve() }
            try await body()
            // Unlike `close`, it is no failure for a `serve` that has not begun yet.
            await self.listener.shutDown(deadline: self.grace)
            try await group.waitForAll()
        }
    }

    private func serve() async throws {
        try await self.listener.serve(
            handshakeFailed: { error, peer in
                let (peer, report) = (peer?.description, ErrorReport(error, advice: Advice.forServing(error)))
                self.log(
                    error.code == .endedBeforeHandshake
                        ? LeftReport(peer: peer, error: report) : RefusedReport(peer: peer, error: report))
            },
            { socket in
                self.log(AcceptedReport(connection: ConnectionReport(socket)))
                let peer = socket.remoteEndpoint?.description
                do {
                    self.log(EndedReport(peer: peer, outcome: try await self.echo.serve(socket)))
                } catch {
                    self.log(EndedReport(peer: peer, error: ErrorReport(describing: error)))
                }
            })
    }
}

/// The report that the listener is ready.
struct ListeningReport: Report {
    static let event = "listening"

    var host: String
    var port: Int

    init(_ listener: SecureListener) {
        self.host = listener.localEndpoint.host
        self.port = listener.localEndpoint.port
    }

    var text: String {
        let all = ["::", "0.0.0.0"].contains(self.host) ? " (all addresses of this machine)" : ""
        return "listening on \(SocketEndpoint(host: self.host, port: self.port))\(all); Ctrl-C to stop"
    }
}

/// The report on a client that connected.
struct AcceptedReport: Report {
    static let event = "accepted"

    var connection: ConnectionReport

    var text: String { "\(self.connection.peer) connected: \(self.connection.summary)" }

    func encode(to encoder: any Encoder) throws { try self.connection.encode(to: encoder) }
}

/// The report on a failed handshake.
struct RefusedReport: Report {
    static let event = "handshakeFailed"

    var peer: String?
    var error: ErrorReport

    var text: String { "handshake failed: \(self.error.sentence)" }
}

/// The report on a client that disconnected without a handshake.
struct LeftReport: Report {
    static let event = "left"

    var peer: String?
    var error: ErrorReport

    var text: String { self.error.message }
}

/// The report on a connection that ended.
struct EndedReport: Report {
    static let event = "ended"

    var peer: String?
    var echoedBytes: Int?
    var answeredHTTP: Bool?
    var error: ErrorReport?

    init(peer: String?, outcome: EchoService.Outcome) {
        self.peer = peer
        switch outcome {
        case .echoed(let bytes): self.echoedBytes = bytes
        case .answeredHTTP: self.answeredHTTP = true
        }
    }

    init(peer: String?, error: ErrorReport?) {
        self.peer = peer
        self.error = error
    }

    var text: String {
        let peer = self.peer ?? "a client"
        if let echoedBytes { return "\(peer) ended: \(echoedBytes) bytes echoed" }
        if self.answeredHTTP != nil { return "\(peer) ended: an HTTP request answered" }
        if self.error?.code == "cancelled" { return "\(peer) was cut off: it did not end in time" }
        // The library's errors name the peer.
        return "ended: \(self.error?.sentence ?? peer)"
    }
}

/// The report that a signal stops the server.
struct StoppingReport: Report {
    static let event = "stopping"

    private var graceSeconds: Double

    init(_ grace: Seconds) { self.graceSeconds = grace.duration.milliseconds / 1000 }

    var text: String {
        "stopping; open connections have \(Duration.seconds(self.graceSeconds).roundedText) to end (Ctrl-C again: at once)"
    }
}

/// The report that the files were read again.
struct ReloadReport: Report {
    static let event = "reloaded"

    /// The SHA-256 fingerprints of the certificates that new clients get.
    var certificates: [String]
    /// The name of the key that seals session tickets, if the server shares its keys.
    var ticketKey: String?
    /// What could not be loaded, so that what was loaded before stays in use in its place.
    var problems: [ErrorReport]

    init(certificates: [TLSCertificate], ticketKey: String? = nil, problems: [SecureSocketError] = []) {
        self.certificates = certificates.map(\.sha256Fingerprint)
        self.ticketKey = ticketKey
        self.problems = problems.map { ErrorReport($0) }
    }

    var text: String {
        let key = self.ticketKey.map { "; the key \($0) seals tickets" } ?? ""
        let problems = self.problems.map { "\n  not loaded, and the former stays in use: \($0.sentence)" }.joined()
        return "reloaded; new clients get the certificate \(self.certificates.joined(separator: ", "))\(key)\(problems)"
    }
}

/// The report on files that cannot be used.
struct ReloadFailedReport: Report {
    static let event = "reloadFailed"

    var error: ErrorReport?

    init(_ error: any Error) { self.error = ErrorReport(describing: error) }

    var text: String { "not reloaded, and the former files stay in use: \(self.error?.sentence ?? "cancelled")" }
}
