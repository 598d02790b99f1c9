import DevelopmentCertificates
import Foundation
import SecureSocketsTesting
import TestSupport

/// The chains of all cases as the files that the peers read.
struct ChainFiles: Sendable {
    /// One case; the peers' programs read a list of these.
    struct Entry: Codable, Sendable {
        let name: String
        let presenter: ChainCase.Presenter
        /// Empty: no name is checked.
        let host: String
        /// The leaf and what is sent above it.
        let sent: String
        let leaf: String
        /// What is sent above the leaf; empty: nothing.
        let above: String
        let trust: String
        let key: String
        /// What a server presents that verifies a client.
        let ownChain: String
        let ownKey: String
    }

    let folder: TemporaryDirectory
    let entries: [Entry]
    /// The file with the list of entries, JSON.
    let list: String

    init() throws {
        let folder = try TemporaryDirectory()
        let own = try TestCertificates.shared.get().server
        let ownChain = try folder.write(own.certificateChainPEM, to: "own.pem")
        let ownKey = try folder.write(own.privateKeyPEM, to: "own-key.pem")
        self.entries = try ChainGroup.allCases.enumerated().map { number, chainCase in
            let chain = try BuiltChains.chain(of: chainCase)
            func write(_ blocks: some Sequence<String>, _ name: String) throws -> String {
                try folder.write(blocks.joined(), to: "\(number)-\(name).pem")
            }
            return Entry(
                name: chainCase.name,
                presenter: chainCase.presenter,
                host: chainCase.host ?? "",
                sent: try write(chain.sent, "sent"),
                leaf: try write(chain.sent.prefix(1), "leaf"),
                above: chain.sent.count > 1 ? try write(chain.sent.dropFirst(), "above") : "",
                trust: try write(chain.trusted, "trust"),
                key: try write([chain.key], "key"),
                ownChain: ownChain,
                ownKey: ownKey)
        }
        self.folder = folder
        self.list = try folder.write(try JSONEncoder().encode(self.entries), to: "chains.json")
    }
}
