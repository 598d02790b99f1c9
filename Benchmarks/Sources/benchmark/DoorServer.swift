import ArgumentParser
import ClassicSSL
import NIOCore
import SecureSockets

/// The ways in which a program can get its messages from SecureSockets. None should be much dearer than another.
enum Interface: String, CaseIterable, ExpressibleByArgument, Sendable {
    case incoming, receive, mailbox
    case framed1 = "framed-1"
    case framed2 = "framed-2"
    case framed4 = "framed-4"
    case classicRecv = "classic-recv"
    case classicActive = "classic-active"

    var header: PacketFraming {
        switch self {
        case .framed1: .oneByteLength
        case .framed2: .twoByteLength
        case .framed4: .fourByteLength
        default: .none
        }
    }

    var isClassic: Bool { self == .classicRecv || self == .classicActive }
}

/// A server that echoes through one interface, and nothing else.
enum InterfaceServer {
    static func run(_ interface: Interface, _ settings: ServerSettings, ready: (Int) -> Void) async throws {
        if interface.isClassic { return try await Self.serveClassic(interface, settings, ready) }
        let identity = try TLSIdentity(certificateChain: .file(settings.certificate), privateKey: .file(settings.key))
        var options = SocketOptions()
        options.framing = interface.header
        let listener = try await SecureListener.bind(
            // On the loops of the program, as the classic interface: more loops wake more often for the same messages.
            host: settings.host, port: settings.port, tls: TLSServerConfiguration(identity: identity), socketOptions: options)
        ready(listener.localEndpoint.port)
        try await listener.serve { socket in
            switch interface {
            case .receive: while let bytes = try await socket.receive() { try await socket.send(bytes) }
            case .mailbox:
                let mailbox = Mailbox()
                try await socket.deliver(to: mailbox)
                while case .received(_, let bytes) = try await mailbox.next() { try await socket.send(bytes) }
            default: for try await bytes in socket.incoming { try await socket.send(bytes) }
            }
        }
    }

    private static func serveClassic(_ interface: Interface, _ settings: ServerSettings, _ ready: (Int) -> Void) async throws {
        let listener = try await SSL.listen(
            settings.port,
            [
                .certfile(settings.certificate), .keyfile(settings.key), .ip("127.0.0.1"), .binary, .nodelay(true),
                .active(interface == .classicActive), .backlog(1024),
            ])
        ready(try SSL.port(listener))
        // As many processes accept as the load has connections; each serves one after the other.
        await withDiscardingTaskGroup { group in
            for _ in 0..<64 {
                group.addTask {
                    let process = SSL.spawn {
                        while true {
                            guard let socket = try? await SSL.accept(listener) else { continue }
                            try? await Self.echo(socket, interface)
                            SSL.close(socket)
                        }
                    }
                    try? await process.task.value
                }
            }
        }
    }

    private static func echo(_ socket: SSL.Socket, _ interface: Interface) async throws {
        if interface == .classicRecv {
            while true { try await SSL.send(socket, try await SSL.recv(socket, 0)) }
        }
        while case .ssl(_, let bytes) = try await SSL.receive() { try await SSL.send(socket, bytes) }
    }
}
