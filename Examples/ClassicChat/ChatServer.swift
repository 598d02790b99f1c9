import ClassicSSL

/// A chat server over the classic interface: `{packet, 4}`, active sockets, one process for each client, and one for the room.
///
/// The first packet of a client is its name. Every further packet is a line, which is sent to all other clients.
enum ChatServer {
    /// A message between the processes.
    enum Note: Sendable {
        case join(SSL.Process, name: String)
        case say(SSL.Process, String)
        case leave(SSL.Process)
        /// From the room to a client's process.
        case line(String)
    }

    /// Listens on a port. The caller's process owns the listener.
    static func listen(_ port: Int, certfile: String, keyfile: String) async throws(SSL.Reason) -> SSL.Socket {
        try await SSL.listen(port, [.certfile(certfile), .keyfile(keyfile), .packet(4), .active(true), .nodelay(true)])
    }

    /// Accepts clients until the listener is closed. Each client gets its own process.
    static func serve(_ listener: SSL.Socket) async throws(SSL.Reason) {
        let room = SSL.spawn { try await Self.room() }
        defer { room.task.cancel() }
        while true {
            do throws(SSL.Reason) {
                // With a timeout, so that a silent client does not block the others.
                let socket = try await SSL.accept(listener, 10_000)
                let client = SSL.spawn { try await Self.client(socket, room.process) }
                // Messages that have already arrived move with the socket.
                try await SSL.controllingProcess(socket, client.process)
            } catch .timeout {
                continue
            } catch .closed {
                return
            } catch {
                // A failed handshake does not affect other clients.
                print("a client was not accepted: \(SSL.formatError(error))")
            }
        }
    }

    /// Runs the room, which keeps the list of clients and forwards their lines.
    private static func room() async throws {
        var names: [SSL.Process: String] = [:]
        func tell(_ line: String, but speaker: SSL.Process) {
            for member in names.keys where member != speaker { member.send(Note.line(line)) }
        }
        while case .user(let note as Note) = try await SSL.receive() {
            switch note {
            case .join(let client, let name):
                names[client] = name
                tell("* \(name) is here", but: client)
                client.send(Note.line("* \(names.count) here"))
            case .say(let client, let text):
                if let name = names[client] { tell("\(name): \(text)", but: client) }
            case .leave(let client):
                if let name = names.removeValue(forKey: client) { tell("* \(name) has left", but: client) }
            case .line: break
            }
        }
    }

    /// Serves one client. When this function returns or throws, its process ends, and the socket is closed.
    private static func client(_ socket: SSL.Socket, _ room: SSL.Process) async throws {
        let me = SSL.Process.current
        defer { room.send(Note.leave(me)) }
        var hasName = false
        while true {
            switch try await SSL.receive() {
            case .ssl(socket, let data):
                room.send(hasName ? Note.say(me, data.text) : Note.join(me, name: data.text))
                hasName = true
            case .user(let note as Note):
                if case .line(let line) = note { try await SSL.send(socket, .text(line)) }
            case .sslClosed(socket), .sslError(socket, _):
                return
            default: break
            }
        }
    }
}
