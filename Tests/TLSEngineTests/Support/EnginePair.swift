import DevelopmentCertificates
import NIOCore
import SecureSockets
import SecureSocketsTesting
import TLSEngine
import TestSupport
import Testing

/// Two engines that pass each other bytes in memory, cut as the test wants.
final class EnginePair {
    enum Cut: Sendable, CustomTestStringConvertible {
        case whole
        case oneByteAtATime
        case atRandom(seed: UInt64)

        var testDescription: String { "\(self)" }

        static let all: [Cut] = [.whole, .oneByteAtATime] + (1...8).map { .atRandom(seed: $0) }
    }

    let client: TLSEngine
    let server: TLSEngine
    private let cut: Cut
    private var random: SeededGenerator
    private(set) var clientProgress = TLSEngine.HandshakeProgress.waiting
    private(set) var serverProgress = TLSEngine.HandshakeProgress.waiting

    init(client: TLSEngine, server: TLSEngine, cut: Cut = .whole) {
        self.client = client
        self.server = server
        self.cut = cut
        self.random = if case .atRandom(let seed) = cut { SeededGenerator(seed: seed) } else { SeededGenerator(seed: 0) }
    }

    /// Runs both handshakes until neither has anything to say.
    func shakeHands() {
        self.clientProgress = self.client.handshake()
        while true {
            let toServer = self.client.takeOutput()
            let toClient = self.server.takeOutput()
            if toServer == nil, toClient == nil { return }
            self.pieces(of: toServer).forEach { piece in
                self.server.receive(piece)
                if self.serverProgress == .waiting { self.serverProgress = self.server.handshake() }
            }
            self.pieces(of: toClient).forEach { piece in
                self.client.receive(piece)
                if self.clientProgress == .waiting { self.clientProgress = self.client.handshake() }
            }
        }
    }

    /// Runs both handshakes until neither has anything to say, and makes the decisions that they wait for.
    func shakeHandsDeciding() async {
        self.clientProgress = self.client.handshake()
        while true {
            self.clientProgress = await Self.decided(self.client, self.clientProgress)
            self.serverProgress = await Self.decided(self.server, self.serverProgress)
            let toServer = self.client.takeOutput()
            let toClient = self.server.takeOutput()
            if toServer == nil, toClient == nil { return }
            if let toServer { self.server.receive(toServer) }
            if self.serverProgress == .waiting { self.serverProgress = self.server.handshake() }
            if let toClient { self.client.receive(toClient) }
            if self.clientProgress == .waiting { self.clientProgress = self.client.handshake() }
        }
    }

    private static func decided(
        _ engine: TLSEngine, _ progress: TLSEngine.HandshakeProgress
    ) async -> TLSEngine.HandshakeProgress {
        var progress = progress
        while progress == .deciding, let pending = engine.pendingDecision {
            // As long as the program has not decided, the engine waits.
            #expect(engine.handshake() == .deciding)
            engine.decide(await pending(remoteAddress: nil))
            progress = engine.handshake()
        }
        return progress
    }

    /// Moves what `sender` has to send to `receiver`; what that makes of it, in the pieces in which it came.
    func move(
        from sender: TLSEngine, to receiver: TLSEngine, ends: Bool = false
    ) -> (received: ByteBuffer, progress: TLSEngine.ReadProgress) {
        var received = ByteBuffer()
        var progress = TLSEngine.ReadProgress.waiting
        for piece in self.pieces(of: sender.takeOutput()) {
            receiver.receive(piece)
            progress = receiver.read(into: &received, limit: .max)
        }
        if ends {
            receiver.receiveEnd()
            progress = receiver.read(into: &received, limit: .max)
        }
        return (received, progress)
    }

    func pieces(of bytes: ByteBuffer?) -> [ByteBuffer] {
        guard var bytes else { return [] }
        var pieces: [ByteBuffer] = []
        while bytes.readableBytes > 0 {
            let length =
                switch self.cut {
                case .whole: bytes.readableBytes
                case .oneByteAtATime: 1
                case .atRandom: Int.random(in: 1...min(bytes.readableBytes, 3000), using: &self.random)
                }
            if let piece = bytes.readSlice(length: length) { pieces.append(piece) }
        }
        return pieces
    }
}

extension EnginePair {
    /// A pair whose client verifies the server by the test authority.
    static func make(
        cut: Cut = .whole,
        serverName: String? = "localhost",
        expecting: PeerName? = PeerName("localhost"),
        client change: (inout TLSSettings) -> Void = { _ in },
        server changeServer: (inout TLSSettings) -> Void = { _ in }
    ) throws -> EnginePair {
        let certificates = try TestCertificates.shared.get()
        var client = TLSSettings(role: .client)
        client.trust = try TrustStore(.bytes(Array(certificates.authority.certificatePEM.utf8)))
        client.verification = .required
        change(&client)
        var server = TLSSettings(role: .server)
        server.identity = certificates.server.identity.identity
        changeServer(&server)
        return try EnginePair(
            client: TLSEngine(client: TLSContext(client), serverName: serverName, expecting: expecting),
            server: TLSEngine(server: TLSContext(server)),
            cut: cut)
    }
}

extension Identity {
    convenience init(_ key: CertifiedKey) throws {
        try self.init(
            chain: .bytes(Array(key.certificateChainPEM.utf8)), privateKey: .bytes(Array(key.privateKeyPEM.utf8)),
            password: nil)
    }
}

extension TLSEngine {
    func write(_ text: String) throws { try self.write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) throws {
        let outcome: Result<Void, TLSFailure> = bytes.withUnsafeBytes { bytes in
            do throws(TLSFailure) {
                return .success(try self.write(bytes))
            } catch {
                return .failure(error)
            }
        }
        try outcome.get()
    }
}
