import Foundation
import SecureSockets
import TestSupport
import Testing

/// The page of the documentation, and the peers' verdicts on it.
@Suite(.timeLimit(.minutes(5))) struct `Page of verdicts on chains` {
    @Test(.enabled(if: Self.isWritten, "UPDATE_CHAIN_VERDICTS is not 1: the page is compared, not written"))
    func `the page is written`() async throws {
        try #require(Peer.areAllInstalled)
        let page = VerdictPage(groups: try await Self.groups())
        try page.text.write(to: VerdictPage.url, atomically: true, encoding: .utf8)
    }

    @Test(.disabled(if: Self.isWritten, "the page is written, not compared"))
    func `the page has the verdicts of this library`() async throws {
        let page = try VerdictPage.current()
        var ours: [[String]] = []
        for chainCase in ChainGroup.allCases {
            let row = VerdictPage.Row(chainCase, peers: [], ours: try await OurVerdicts.shared.verdict(on: chainCase))
            ours.append([row.name, row.ours])
        }
        Self.expect(page.rows.map { [$0.name, $0.ours] }, ours)
    }

    @Test(
        .disabled(if: Self.isWritten, "the page is written, not compared"),
        .enabled(if: Peer.areAllInstalled, "not all peers are installed: their verdicts are not compared"))
    func `the page has the verdicts of the peers`() async throws {
        let page = try VerdictPage.current()
        try Self.require(page.isOfInstalledVersions)
        Self.expect(page.rows, try await Self.groups().flatMap(\.rows))
    }

    @Test(.enabled(if: Peer.areAllInstalled, "not all peers are installed: their verdicts are not compared"))
    func `a verdict that differs from that of most peers has a reason`() async throws {
        if !Self.isWritten { try Self.require(try VerdictPage.current().isOfInstalledVersions) }
        let peers = try await PeerVerdicts.shared.get()
        for (number, chainCase) in ChainGroup.allCases.enumerated() where chainCase.why == nil {
            let verdicts = peers.values.map { $0[number] }.filter { $0 != .none }
            let accepting = verdicts.count { $0 == .accepted }
            let agreeing = chainCase.right == .accepted ? accepting : verdicts.count - accepting
            #expect(agreeing * 2 > verdicts.count, "\(chainCase.name): \(accepting) of \(verdicts.count) peers accept it")
        }
    }

    private static let isWritten = ProcessInfo.processInfo.environment["UPDATE_CHAIN_VERDICTS"] == "1"

    /// Cancels the test where the page is about other versions of the peers, which may judge otherwise.
    private static func require(_ isOfInstalledVersions: Bool) throws {
        if !isOfInstalledVersions {
            try Test.cancel("the page is about other versions of the peers than \(VerdictPage.versions)")
        }
    }

    /// Reports the first row that differs.
    private static func expect<Row: Equatable>(
        _ written: [Row], _ found: [Row], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let advice: Comment = "UPDATE_CHAIN_VERDICTS=1 writes the page anew"
        let first = zip(written, found).first { $0 != $1 }
        if let first { #expect(first.0 == first.1, advice, sourceLocation: sourceLocation) }
        #expect(written.count == found.count, advice, sourceLocation: sourceLocation)
    }

    private static func groups() async throws -> [(name: String, rows: [VerdictPage.Row])] {
        let peers = try await PeerVerdicts.shared.get()
        var number = 0
        var groups: [(name: String, rows: [VerdictPage.Row])] = []
        for group in ChainGroup.all {
            var rows: [VerdictPage.Row] = []
            for chainCase in group.cases {
                let verdicts = Peer.allCases.compactMap { peers[$0]?[number] }
                rows.append(.init(chainCase, peers: verdicts, ours: try await OurVerdicts.shared.verdict(on: chainCase)))
                number += 1
            }
            groups.append((group.name, rows))
        }
        return groups
    }
}

/// Says which peers are absent.
@Suite struct `Peers that judge chains` {
    @Test(.enabled(if: Peer.openssl.version != nil, "OpenSSL 3 is not installed: its verdicts are not compared"))
    func openssl() {}

    @Test(.enabled(if: Peer.go.version != nil, "Go is not installed: its verdicts are not compared"))
    func go() {}

    @Test(.enabled(if: Peer.gnutls.version != nil, "GnuTLS or Python 3 is not installed: its verdicts are not compared"))
    func gnutls() {}

    @Test(.enabled(if: Peer.python.version != nil, "Python 3 with ssl is not installed: its verdicts are not compared"))
    func python() {}
}
