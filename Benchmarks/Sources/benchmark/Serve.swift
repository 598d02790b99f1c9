import ArgumentParser

/// How a server is to be run.
struct ServerSettings: ParsableArguments {
    @Option var host = "127.0.0.1"
    @Option var port = 0
    @Option(help: "The certificate chain, PEM.") var certificate: String
    @Option(help: "The private key, PEM.") var key: String
    @Option(help: "Event loops, of each listener.") var loops = 1
    @Option(help: "Listeners on one port, each with loops of its own: of secure-sockets, with --shares-port.") var listeners = 1
    @Flag(help: "Lets other processes listen on the same port.") var sharesPort = false
    @Option(help: "Where the keys of tickets are, of secure-sockets: local, derived or single-use.") var tickets = TicketSource
        .local
    @Flag(help: .hidden) var controlled = false

    func validate() throws {
        guard self.loops > 0 else { throw ValidationError("--loops is \(self.loops); at least one is needed") }
        guard self.listeners > 0 else { throw ValidationError("--listeners is \(self.listeners); at least one is needed") }
    }

    /// What every server does first.
    func prepare() {
        OpenFiles.raiseLimit()
        if self.controlled { ServerProcess.answerCommands() }
    }
}

/// One stack's server, in this process.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Runs one server, for a load of your own.")

    @Argument var stack: Stack
    @OptionGroup var settings: ServerSettings

    func run() async throws {
        self.settings.prepare()
        try await self.stack.serve(self.settings)
    }
}

/// One interface's server, in this process.
struct ServeInterface: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "interface", abstract: "Echoes through one interface.", shouldDisplay: false)

    @Argument var interface: Interface
    @OptionGroup var settings: ServerSettings

    func run() async throws {
        self.settings.prepare()
        try await InterfaceServer.run(self.interface, self.settings, ready: ServerProcess.tell)
    }
}
