import ClassicSSL
import TestSupport
import Testing

/// The classic interface and a real Erlang/OTP: every framing, both modes of delivery at both ends, both roles, every length around
/// a limit. Each length goes there and comes back, and is compared on both sides.
@Suite(
    .enabled(if: ErlangPeer.isInstalled, "Erlang is not installed, or has no ssl"), .serialized, .timeLimit(.minutes(5))
) struct `Erlang's ssl and ours` {
    private let site: Site

    init() throws { self.site = try Site() }

    /// Who gets data by message.
    enum Modes: String, CaseIterable, CustomTestStringConvertible {
        case neither = "both passive"
        case ours = "ours active, Erlang passive"
        case erlangs = "ours passive, Erlang active"
        case both = "both active"

        var testDescription: String { self.rawValue }
        var oursIsActive: Bool { self == .ours || self == .both }
        var erlangsIsActive: Bool { self == .erlangs || self == .both }
    }

    private func sizes(for packet: Int) -> [Int] {
        let all = [0, 1, 254, 255, 256, 65_535, 65_536, 2 << 20]
        let longest = [1: 255, 2: 65_535][packet] ?? .max
        return all.filter { $0 <= longest }
    }

    private func options(_ files: Site.Files, _ packet: Int, _ modes: Modes) -> [SSL.Option] {
        [
            .certfile(files.chain), .keyfile(files.key), .cacertfile(self.site.authority), .verify(2), .depth(2),
            .packet(packet), .active(modes.oursIsActive),
        ]
    }

    @Test(arguments: [0, 1, 2, 4], Modes.allCases)
    func `we connect, Erlang sends everything back`(packet: Int, modes: Modes) async throws {
        let sizes = self.sizes(for: packet)
        let peer = try ErlangPeer(
            .server, .init(packet: packet, isActive: modes.erlangsIsActive, sizes: sizes), self.site)
        let port = try await peer.port()
        try await SSL.withProcess { process in
            let options = self.options(self.site.client, packet, modes)
            let socket = try await SSL.connect("127.0.0.1", port, options, 30_000)
            for size in sizes {
                try await SSL.send(socket, .bytes(ErlangPeer.pattern(size)))
                try await self.take(size, of: socket, packet, modes)
            }
            SSL.close(socket)
            #expect(process.messageCount == 0)
        }
        let outcome = await peer.program.outcome()
        #expect(outcome.output.hasSuffix("DONE\n"), "\(outcome)")
        #expect(outcome.status == 0)
    }

    @Test(arguments: [0, 1, 2, 4], Modes.allCases)
    func `Erlang connects, we send everything back`(packet: Int, modes: Modes) async throws {
        let sizes = self.sizes(for: packet)
        try await SSL.withProcess { process in
            let listener = try await SSL.listen(0, self.options(self.site.server, packet, modes))
            let peer = try ErlangPeer(
                .client, .init(packet: packet, isActive: modes.erlangsIsActive, sizes: sizes), self.site,
                port: try SSL.port(listener))
            let socket = try await SSL.accept(listener, 30_000)
            for size in sizes {
                try await SSL.send(socket, .bytes(try await self.take(size, of: socket, packet, modes)))
            }
            // Erlang closes.
            if modes.oursIsActive {
                let message = try await SSL.receive(30_000)
                guard case .sslClosed(socket) = message else {
                    Issue.record("\(message) instead of the end")
                    return
                }
            } else {
                await #expect(throws: SSL.Reason.closed) { try await SSL.recv(socket, 0, 30_000) }
            }
            #expect(process.messageCount == 0)
            let outcome = await peer.program.outcome()
            #expect(outcome.output.hasSuffix("DONE\n"), "\(outcome)")
            #expect(outcome.status == 0)
        }
    }

    /// Takes a packet of that length, or that many bytes of a plain stream, and compares them with what was to come.
    @discardableResult
    private func take(_ size: Int, of socket: SSL.Socket, _ packet: Int, _ modes: Modes) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        if packet > 0 {
            bytes = try await self.next(socket, modes)
        } else {
            while bytes.count < size { bytes += try await self.next(socket, modes) }
        }
        #expect(bytes == ErlangPeer.pattern(size), "\(bytes.count) bytes for \(size)")
        return bytes
    }

    private func next(_ socket: SSL.Socket, _ modes: Modes) async throws -> [UInt8] {
        guard modes.oursIsActive else { return try await SSL.recv(socket, 0, 30_000).array }
        let message = try await SSL.receive(30_000)
        guard case .ssl(socket, let data) = message else {
            Issue.record("\(message) instead of data")
            throw SSL.Reason.closed
        }
        return data.array
    }
}
