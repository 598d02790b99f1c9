import ClassicSSL
import Testing

/// What one participant of a script does next.
enum Command: Sendable, Hashable {
    // Of the listener.
    case listen
    /// Waits until as many connections have been accepted as there are acceptors.
    case awaitAccepted
    /// Waits until acceptors and connectors have come to their end.
    case awaitOthers

    // Of acceptors and connectors.
    case accept
    case connect
    /// Sends so many bytes with one call.
    case send(Int)
    /// Receives so many bytes and compares each with what the peer was to send; with framing, one packet of that length.
    case receive(Int)
    /// The same, of what this end has sent and the peer sends back.
    case receiveBack(Int)
    /// Sends back what comes, as it comes, until it was so many bytes.
    case echo(Int)
    /// Sees the end of the peer's stream, and nothing before or after it.
    case expectClosed

    /// Closes the listener or the connection, and sees that nothing follows.
    case close
}

/// A dialogue in the manner of the classic suites: one listener, and a number of acceptors and connectors, each with its list of
/// commands and in a process of its own. No acceptor owns the listener.
struct Script: Sendable {
    var listener: [Command] = [.listen, .awaitOthers, .close]
    let acceptor: [Command]
    let connector: [Command]
    var connections = 1
    var serverOptions: [SSL.Option]
    var clientOptions: [SSL.Option]

    /// Runs all lists at the same time, to their end.
    func run() async throws {
        let acceptors = (0..<self.connections).map { _ in
            SSL.spawn { try await Participant.play(self.acceptor, as: .acceptor, options: self.serverOptions) }
        }
        let connectors = (0..<self.connections).map { _ in
            SSL.spawn { try await Participant.play(self.connector, as: .connector, options: self.clientOptions) }
        }
        let others = acceptors + connectors
        let listener = SSL.spawn { try await self.playListener(with: others.map(\.process)) }
        for participant in others + [listener] {
            do {
                try await participant.task.value
            } catch {
                Issue.record("a participant failed: \(error)")
            }
        }
    }

    private func playListener(with others: [SSL.Process]) async throws {
        var socket: SSL.Socket?
        defer { for process in others where socket == nil { process.send(Note.notListening) } }
        for command in self.listener {
            switch command {
            case .listen:
                let listening = try await SSL.listen(0, self.serverOptions + [.backlog(self.connections)])
                socket = listening
                for process in others { process.send(Note.listening(listening, by: .current)) }
            case .awaitAccepted: for _ in 0..<self.connections { try await Note.await(.accepted) }
            case .awaitOthers: for _ in others { try await Note.await(.done) }
            case .close: SSL.close(try #require(socket))
            default: Issue.record("a listener cannot do this: \(command)")
            }
        }
    }
}

/// What the participants of a script tell each other.
enum Note: Sendable {
    case listening(SSL.Socket, by: SSL.Process)
    case notListening
    case accepted
    case done

    enum Kind: Sendable { case listening, accepted, done }

    var kind: Kind {
        switch self {
        case .listening, .notListening: .listening
        case .accepted: .accepted
        case .done: .done
        }
    }

    @discardableResult
    static func `await`(_ kind: Kind) async throws -> Note {
        let message = try await SSL.receive(.patience) { message in
            if case .user(let note as Note) = message { note.kind == kind } else { false }
        }
        guard case .user(let note as Note) = message else { throw SSL.Reason.timeout }
        return note
    }
}
