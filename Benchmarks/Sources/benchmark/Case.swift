import SecureSockets

/// One thing that is measured.
struct Case {
    let name: String
    /// What a plot needs to know of it, such as the size of its messages.
    var parameters: [String: Int] = [:]
    /// Who is compared.
    var contenders = Stack.allCases.map(\.contender)
    /// Whether servers of others, which take no options, can be measured as well.
    var isForPeers = true
    /// How their servers are run, beyond the defaults.
    var serverOptions: [String] = []
    /// How many processes serve on the same port.
    var processes = 1
    /// Whether the load resumes its sessions.
    var resumes = false
    /// One round with one contender.
    let measure: (Bench) async throws -> [Reading]
}

enum ServerCommand {
    /// This program, with these arguments.
    case ours([String])
    case peer(PeerCommand)
}

/// A server that is compared with others.
struct Contender {
    /// Its name in files.
    let id: String
    /// Its name in tables.
    let title: String
    let server: ServerCommand
    /// The client that is measured, on our server; nil: the server is measured.
    var client: ClientCommand?
    /// How its load talks.
    var framing = PacketFraming.none
    var echoesAtOnce = false
}

extension Stack {
    var contender: Contender {
        Contender(id: self.rawValue, title: self.title, server: .ours(["serve", self.rawValue]))
    }
}
