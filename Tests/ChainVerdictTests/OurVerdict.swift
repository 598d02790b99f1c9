import Foundation
import NIOCore
import SecureSockets
import SecureSocketsTesting
import TLSEngine
import TestSupport

/// What this library says of a chain in a handshake.
enum OurVerdict: Sendable, Equatable, CustomStringConvertible {
    case accepted
    case refused(CertificateProblem.Kind, text: String)
    /// The handshake failed before the chain was verified, or did not begin; with the reason of BoringSSL, where there is one.
    case failed(reason: String?, text: String)

    /// Runs a handshake in memory.
    init(on chain: Chain, of chainCase: ChainCase) async {
        do {
            if let identity = try? Self.identity(of: chain) {
                self = try await Self.verdict(on: identity, of: chain, chainCase)
            } else {
                self = try Self.verdict(on: chain, chainCase)
            }
        } catch {
            self = .failed(reason: nil, text: "\(error)")
        }
    }

    private static func trust(of chain: Chain) throws -> TLSTrust { try .only(.text(chain.trusted.joined())) }

    /// The client that judges a server's chain.
    private static func client(judging chain: Chain, _ chainCase: ChainCase) throws -> TLSClientConfiguration {
        try TLSClientConfiguration(
            trust: self.trust(of: chain), verification: chainCase.host == nil ? .dangerouslyWithoutHostName : .full)
    }

    /// The server that judges a client's chain.
    private static func server(judging chain: Chain) throws -> TLSServerConfiguration {
        try TLSServerConfiguration(
            identity: TestCertificates.shared.get().serverIdentity, clients: .required(trust: self.trust(of: chain)))
    }

    /// The identity that presents the chain; throws where the public interface refuses such an identity.
    private static func identity(of chain: Chain) throws -> TLSIdentity {
        try TLSIdentity(certificateChain: .text(chain.sent.joined()), privateKey: .text(chain.key))
    }

    /// Both ends by the public interface.
    private static func verdict(on identity: TLSIdentity, of chain: Chain, _ chainCase: ChainCase) async throws -> OurVerdict {
        let client: TLSClientConfiguration
        let server: TLSServerConfiguration
        switch chainCase.presenter {
        case .server:
            client = try self.client(judging: chain, chainCase)
            server = try TLSServerConfiguration(identity: identity)
        case .client:
            client = try TLSClientConfiguration(verification: .dangerouslyNone, identity: identity)
            server = try self.server(judging: chain)
        }
        do {
            let pair = try await SecureSocket.connectedPair(
                client: client, server: server, host: chainCase.host ?? "localhost", timeout: Encounter.patience)
            pair.client.close()
            pair.server.close()
            return .accepted
        } catch {
            guard let problem = error.certificateProblem else {
                return .failed(reason: error.libraryReason, text: error.description)
            }
            return .refused(problem.kind, text: problem.description)
        }
    }

    /// For a chain that the public interface does not present: the verifier's engine, and a peer that presents anything.
    private static func verdict(on chain: Chain, _ chainCase: ChainCase) throws -> OurVerdict {
        let presenter = try RawPresenter(chain.sent.map(derBytes), key: chain.key, presenter: chainCase.presenter)
        let engine =
            switch chainCase.presenter {
            case .server:
                try TLSEngine(
                    client: self.client(judging: chain, chainCase).context, serverName: nil,
                    expecting: chainCase.host.map { PeerName($0) })
            case .client: try TLSEngine(server: self.server(judging: chain).context)
            }
        // No handshake takes more flights.
        for _ in 0..<10 {
            switch engine.handshake() {
            case .complete: return .accepted
            case .failed(let failure):
                guard case .certificateVerificationFailed(let refusal) = failure.kind else {
                    return .failed(reason: failure.reason?.name, text: "\(failure)")
                }
                let problem = CertificateProblem(refusal)
                return .refused(problem.kind, text: problem.description)
            case .waiting, .deciding:
                let sent = engine.takeOutput().map { Array($0.readableBytesView) } ?? []
                engine.receive(ByteBuffer(bytes: presenter.step(sent)))
            }
        }
        return .failed(reason: nil, text: "the handshake does not complete")
    }

    /// The contents of a PEM block.
    private static func derBytes(_ pem: String) throws -> [UInt8] {
        let lines = pem.split(separator: "\n").filter { !$0.hasPrefix("-----") }
        guard let data = Data(base64Encoded: lines.joined()) else { throw RawPresenter.Failure(call: "Data(base64Encoded:)") }
        return Array(data)
    }

    func agrees(with right: RightVerdict) -> Bool {
        switch (self, right) {
        case (.accepted, .accepted): true
        case (.refused(let kind, _), .refused(let rightKind)): kind == rightKind
        case (.failed(let reason, _), .protocolError(let rightReason)): reason == rightReason
        default: false
        }
    }

    var description: String {
        switch self {
        case .accepted: "accepted"
        case .refused(let kind, let text): "refused as \(kind.description): \(text)"
        case .failed(_, let text): "failed: \(text)"
        }
    }
}

/// The verdicts of this library, each found once a process.
actor OurVerdicts {
    static let shared = OurVerdicts()

    private var verdicts: [String: Task<OurVerdict, any Error>] = [:]

    func verdict(on chainCase: ChainCase) async throws -> OurVerdict {
        let task =
            self.verdicts[chainCase.name]
            ?? Task { await OurVerdict(on: try BuiltChains.chain(of: chainCase), of: chainCase) }
        self.verdicts[chainCase.name] = task
        return try await task.value
    }
}
