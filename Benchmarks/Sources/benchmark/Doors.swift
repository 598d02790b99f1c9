import ArgumentParser
import ClassicSSL
import NIOCore
import SecureSockets

/// The ways in which a program can get its messages from SecureSockets. None should be much dearer than another.
enum Door: String, CaseIterable, ExpressibleByArgument, Sendable {
    case incoming, receive, mailbox
    case framed1 = "framed-1"
    case framed2 = "framed-2"
    case framed4 = "framed-4"
    case classicRecv = "classic-recv"
    case classicActive = "classic-active"

    var header: PacketHeader {
        switch self {
        case .framed1: .oneByte
        case .framed2: .twoBytes
        case .framed4: .fourBytes
        default: .none
        }
    }

    var isClassic: Bool { self == .classicRecv || self == .classicActive }
}

/// A server that echoes through one door, and nothing else.
enum DoorServer {
    static func run(_ door: Door, port: Int, certificate: String, key: String, ready: (Int) -> Void) async throws {
        if door.isClassic { return try await Self.serveClassic(door, port, certificate, key, ready) }
        let identity = try TLSIdentity(certificateChain: .file(certificate), privateKey: .file(key))
        var options = SocketOptions()
        options.packetHeader = door.header
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: port, tls: .server(identity), options: options,
            on: SocketEventLoopGroup(numberOfLoops: 1))
        ready(listener.localEndpoint.port)
        try await listener.serve { socket in
            switch door {
            case .receive: while let bytes = try await socket.receive() { try await socket.send(bytes) }
            case .mailbox:
                let mailbox = Mailbox()
                try await socket.deliver(to: mailbox)
                while case .received(_, let bytes) = try await mailbox.next() { try await socket.send(bytes) }
            default: for try await bytes in socket.incoming { try await socket.send(bytes) }
            }
        }
    }

    private static func serveClassic(
        _ door: Door, _ port: Int, _ certificate: String, _ key: String, _ ready: (Int) -> Void
    ) async throws {
        let listener = try await SSL.listen(
            port,
            [
                .certfile(certificate), .keyfile(key), .ip("127.0.0.1"), .binary, .nodelay(true),
                .active(door == .classicActive), .backlog(1024),
            ])
        ready(try SSL.port(listener))
        // As many processes accept as the load has connections; each serves one after the other.
        await withDiscardingTaskGroup { group in
            for _ in 0..<64 {
                group.addTask {
                    let process = SSL.spawn {
                        while true {
                            guard let socket = try? await SSL.accept(listener) else { continue }
                            try? await Self.echo(socket, door)
                            SSL.close(socket)
                        }
                    }
                    try? await process.task.value
                }
            }
        }
    }

    private static func echo(_ socket: SSL.Socket, _ door: Door) async throws {
        if door == .classicRecv {
            while true { try await SSL.send(socket, try await SSL.recv(socket, 0)) }
        }
        while case .ssl(_, let bytes) = try await SSL.receive() { try await SSL.send(socket, bytes) }
    }
}

struct Doors: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Compares the ways to get messages: echoes through each.")

    @Flag(help: "A tenth of the work.") var quick = false
    @Option(help: "How often each is run.") var rounds = 3

    func run() async throws {
        let identity = try BenchmarkIdentity()
        var figures: [Door: [Double]] = [:]
        for _ in 0..<max(self.rounds, 1) {
            for door in Door.allCases {
                let server = try ServerProcess(["door", door.rawValue] + identity.options)
                defer { server.stop() }
                let load = Load(port: server.port, tls: identity.client, header: door.header)
                _ = try await load.echo(1000, size: 128, connections: 32)
                let before = try server.usage().cpuSeconds
                let done = try await load.echo(self.quick ? 20_000 : 200_000, size: 128, connections: 32)
                figures[door, default: []].append((try server.usage().cpuSeconds - before) / Double(done.units) * 1e6)
            }
        }
        let medians = figures.mapValues { $0.sorted()[$0.count / 2] }
        let cheapest = medians.values.min() ?? 1
        print("door             CPU µs a message   of the cheapest")
        for door in Door.allCases {
            let microseconds = medians[door] ?? 0
            let columns = [door.rawValue, BenchmarkText.number(microseconds), BenchmarkText.number(microseconds / cheapest)]
            print(BenchmarkText.row(columns, widths: [17, 19, 0]))
        }
    }
}

/// One door's server, in this process.
struct ServeDoor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "door", abstract: "Echoes through one door.", shouldDisplay: false)

    @Argument var door: Door
    @Option var port = 0
    @Option var certificate: String
    @Option var key: String
    @Flag(help: .hidden) var controlled = false

    func run() async throws {
        if self.controlled { ServerProcess.answerCommands() }
        try await DoorServer.run(self.door, port: self.port, certificate: self.certificate, key: self.key) {
            ServerProcess.tell($0)
        }
    }
}
