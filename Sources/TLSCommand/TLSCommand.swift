import ArgumentParser

@main
struct TLSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tls",
        abstract: "Secure sockets from the command line.",
        subcommands: [Certs.self]
    )
}
