import SecureSockets
import Synchronization

/// `tls serve PORT`.
struct Serve: Command, SpeaksJSON {
    var port = 0
    var host: String?
    var identity = IdentityOptions()
    var further = FurtherIdentityOptions()
    var clients = ClientOptions()
    var leniency = LeniencyOptions()
    var stream = StreamOptions()
    var tickets = TicketOptions()
    var grace = Seconds(.seconds(5))
    var json = false

    static let title = CommandTitle(
        name: "serve",
        abstract: "Listen on a port and echo what clients send.",
        discussion: """
            Prints the address when it is ready, and a line for each connection on standard error: the client and the negotiated \
            parameters, or the reason for a failed handshake. A client that sends an HTTP/1 request gets a response that describes \
            its connection, so that curl and browsers can be used; not with --packet.

            On SIGHUP, the files of certificates, keys, revocation lists, OCSP responses and ticket secrets are read again. New \
            clients get the new ones; what cannot be used stays as it was.

            On Ctrl-C or SIGTERM, the command stops accepting, lets open connections end, and exits with 0. A second Ctrl-C ends it \
            at once.

            Example:
              tls certs dev certs
              tls serve 8443 --cert certs/server.pem --key certs/server-key.pem
              curl --cacert certs/ca.pem https://localhost:8443/
            """)

    static let arguments: ArgumentTable<Serve> = [
        .required("port", \.port, .number(0...65_535), "The port to listen on; with 0, the system chooses a free one."),
        .option("--host", \.host, .text("address"), "The local address to listen on. (default: all, IPv6 and IPv4)"),
        .group(\.identity),
        .group(\.further),
        .group(\.clients),
        .group(\.leniency),
        .group(\.stream),
        .group(\.tickets),
        .option("--grace", \.grace, .seconds, "The time that open connections may take to end after Ctrl-C."),
        .flag("--json", \.json, "Print JSON, one object per line, on the same streams."),
    ]

    func validate() throws(UsageError) {
        if self.identity.cert == nil { throw self.identityMissing }
    }

    func run() async throws {
        OpenFilesLimit.raise()
        let log = EventLog(Reporter(style: self.style, output: .standardError))
        try await log.flushed {
            try await Advice.given(by: Advice.forServing) {
                var options = ListenerOptions()
                let tickets = try self.tickets.shared(logger: EventLogHandler.logger(for: log))
                options.ticketKeys = tickets?.keys
                if self.clients.endRefused { options.openConnections = .endIfRefused(grace: self.grace.duration) }
                let listener = try await SecureListener.bind(
                    host: self.host, port: self.port, tls: try self.configuration(), socketOptions: self.stream.socketOptions,
                    options: options, logger: EventLogHandler.logger(for: log))
                let following = tickets.map { tickets in Task { await tickets.follow() } }
                defer { following?.cancel() }
                // The files may have been pipes, which cannot be read again; then the first reload needs all of them.
                let served = ServedFiles(try? self.files().load())
                let stop = await StopSignals()
                let service = Service(
                    listener: listener, echo: EchoService(answersHTTP: self.stream.packet == .none), grace: self.grace.duration,
                    log: { log.add($0) })
                try await service.run {
                    try Reporter(style: self.style, output: .standardOutput).report(ListeningReport(listener))
                    ReloadSignal.watch {
                        do {
                            log.add(try await self.reload(listener, tickets?.keys, served))
                        } catch {
                            log.add(ReloadFailedReport(error))
                        }
                    }
                    await stop.first()
                    log.add(StoppingReport(self.grace))
                }
            }
        }
    }

    /// The files, as they are read again.
    private func files() throws -> TLSFiles {
        guard let cert = self.identity.cert, let key = self.identity.key else { throw self.identityMissing }
        let first = TLSFiles.IdentityFiles(
            certificateChain: cert, privateKey: key, ocspResponse: self.further.ocspResponse, password: self.identity.password)
        return TLSFiles(
            identities: [first] + self.further.identities.map { .init(certificateChain: $0, privateKey: $0) },
            clientTrust: self.clients.clientCA, revocationLists: self.clients.revocation.crl,
            allowing: self.leniency.legacyCertificates)
    }

    /// Reads the files again, and replaces the listener's configuration by what can be used of them.
    private func reload(
        _ listener: SecureListener, _ ticketKeys: TicketKeys?, _ served: ServedFiles
    ) async throws -> ReloadReport {
        if let ticketKeys { try self.tickets.reload(ticketKeys) }
        let snapshot = try served.load(self.files())
        try await listener.update(tls: self.configuration(snapshot))
        served.replace(with: snapshot)
        let key = self.tickets.isGiven ? ticketKeys?.keys.first?.name : nil
        return ReloadReport(certificates: listener.statistics.certificates, ticketKey: key, problems: snapshot.problems)
    }

    private func configuration(_ snapshot: TLSFiles.Snapshot) throws -> TLSServerConfiguration {
        try TLSServerConfiguration(
            identities: self.further.serverIdentities(snapshot.identities),
            unknownServerNames: self.further.refuseUnknownNames ? .refused : .useDefault,
            clients: self.clients.authentication(snapshot.clientTrust.map(self.leniency.applied)),
            parameters: self.stream.parameters)
    }

    private var identityMissing: UsageError {
        UsageError(
            """
            A server needs --cert FILE and --key FILE. To make certificates to develop with:
              tls certs dev DIR
              tls serve \(self.port) --cert DIR/server.pem --key DIR/server-key.pem
            """)
    }

    private func configuration() throws -> TLSServerConfiguration {
        guard let identity = try self.identity.identity(self.leniency) else { throw self.identityMissing }
        return try TLSServerConfiguration(
            identities: self.further.identities(after: identity, self.leniency),
            unknownServerNames: self.further.refuseUnknownNames ? .refused : .useDefault,
            clients: self.clients.authentication(self.clients.trust(self.leniency)), parameters: self.stream.parameters)
    }
}

/// The files in use.
private final class ServedFiles: Sendable {
    private let snapshot: Mutex<TLSFiles.Snapshot?>

    init(_ snapshot: TLSFiles.Snapshot?) { self.snapshot = Mutex(snapshot) }

    func load(_ files: TLSFiles) throws(SecureSocketError) -> TLSFiles.Snapshot {
        guard let former = self.snapshot.withLock({ $0 }) else { return try files.load() }
        return try files.load(replacing: former)
    }

    func replace(with snapshot: TLSFiles.Snapshot) { self.snapshot.withLock { $0 = snapshot } }
}
