import ClassicSSL
import DevelopmentCertificates
import TestSupport
import Testing

@Suite("§2 connect and listen", .countsRules, .timeLimit(.minutes(5)))
struct ConnectAndListenTests {
    @Test(arguments: ["127.0.0.1", "localhost", .ipv4(127, 0, 0, 1)] as [SSL.Address])
    func `2 connect 1: a name, a dotted string or four numbers`(_ address: SSL.Address) async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            let port = try SSL.port(listener)
            async let accepted = SSL.accept(listener, patience)
            let client = try await SSL.connect(address, port, [], patience)
            #expect(try SSL.peername(client) == SSL.sockname(try await accepted))
        }
    }

    @Test func `2 connect 1: unknown names and malformed addresses`() async throws {
        let malformed = [
            "münchen.example", "a b", "a\nb", "a..example", ".", "https://a", "a@b", String(repeating: "a", count: 64),
        ]
        for name in ["no-such-host.invalid", "", "::1", "a\0b", "[::1]", "fe80::1%lo"] + malformed {
            await #expect(throws: SSL.Reason.nxdomain, "\(name)") { try await SSL.connect(.host(name), 1, [], patience) }
        }
        for address in [SSL.Address.ipv4(256, 0, 0, 1), .ipv4(127, 0, 0, -1)] {
            await #expect(throws: SSL.Reason.einval) { try await SSL.connect(address, 1, [], patience) }
        }
    }

    @Test func `2 connect 2: an empty list is every default`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(connect: [])
            try await SSL.send(pair.accepted, "a list, by message")
            #expect(try await Note.next(of: pair.connected) == .text("a list, by message"))
        }
    }

    @Test func `2 connect 3: options, then files, then the rest`() async throws {
        let missing = SSL.Option.certfile("/nowhere/certificate.pem")
        await #expect(throws: SSL.Reason.eoptions) {
            try await SSL.connect("no-such-host.invalid", 1, [missing, .packet(3)], patience)
        }
        await #expect(throws: SSL.Reason.ecertfile) {
            try await SSL.connect("no-such-host.invalid", 1, [missing], patience)
        }
    }

    @Test func `2 connect 5: not established in time, handshake included`() async throws {
        let silent = try RawListener()
        await #expect(throws: SSL.Reason.timeout) { try await SSL.connect("127.0.0.1", silent.port, [], 100) }
        await #expect(throws: SSL.Reason.timeout) { try await SSL.connect("127.0.0.1", silent.port, [], 0) }
        // Nothing is left open: the peer finds the end.
        try await silent.play { try $0.receiveUntilEnd() }
    }

    @Test(arguments: [0, -1, 65_536, 1 << 40])
    func `2 connect 6: ports out of range`(_ port: Int) async {
        await #expect(throws: SSL.Reason.einval) { try await SSL.connect("127.0.0.1", port, [], patience) }
    }

    @Test func `2 connect 7: the name in the certificate is not compared`() async throws {
        let files = try CertificateFiles.shared
        let other = try files.authority.issue(commonName: "other", names: ["other.example"])
        let meeting = try await Meeting(
            listen: files.identity(other), connect: [.verify(2), .cacertfile(files.ca)])
        #expect(meeting.server == nil)
        #expect(meeting.client == nil)
    }

    @Test func `2 listen 1: port 0 picks a free port`() async throws {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            #expect(try SSL.port(listener) > 0)
            #expect(try SSL.sockname(listener).address == [127, 0, 0, 1])
            #expect(try SSL.sockname(listener).port == SSL.port(listener))
        }
    }

    @Test func `2 listen 2: an empty list is refused before anything else`() async {
        await #expect(throws: SSL.Reason.enooptions) { try await SSL.listen(-1, []) }
        await #expect(throws: SSL.Reason.eoptions) { try await SSL.listen(-1, [.packet(3)]) }
    }

    @Test func `2 listen 3: all addresses of this machine by default`() async throws {
        try await SSL.withProcess { _ in
            let listener = try await SSL.listen(0, CertificateFiles.shared.server)
            #expect(try SSL.sockname(listener).address == [0, 0, 0, 0])
        }
    }

    @Test func `2 listen 4: what the operating system refuses`() async throws {
        let taken = try RawListener()
        await #expect(throws: SSL.Reason.eaddrinuse) { try await SSL.listen(taken.port, [.ip("127.0.0.1")]) }
        await #expect(throws: SSL.Reason.eaddrnotavail) { try await SSL.listen(0, [.ip(.ipv4(192, 0, 2, 1))]) }
        for port in [-1, 65_536] {
            await #expect(throws: SSL.Reason.einval) { try await SSL.listen(port, [.backlog(1)]) }
        }
    }

    @Test func `2 listen 5: a port is free again after a close`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.active(false)])
            let port = try SSL.port(pair.listener)
            // The listener's side ends first, and so its port stays in TIME_WAIT.
            SSL.close(pair.accepted)
            await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.connected, 0, patience) }
            SSL.close(pair.connected)
            try await pair.accepted.waitUntilGone()
            SSL.close(pair.listener)
            // The descriptor goes in the background.
            var refusal: SSL.Reason?
            repeat {
                refusal = await reason { _ = try await SSL.listen(port, [.ip("127.0.0.1")]) }
                await Task.yield()
            } while refusal == .eaddrinuse
            #expect(refusal == nil)
        }
    }

    @Test func `2 listen 6: a bad file fails the call and leaves the port free`() async throws {
        await #expect(throws: SSL.Reason.ecertfile) { try await SSL.listen(0, [.certfile("/nowhere")]) }
        await #expect(throws: SSL.Reason.ecipher) { try await SSL.listen(0, [.ciphers("NONSENSE")]) }
    }

    @Test func `3 6: files are read during listen, and not later`() async throws {
        let files = try CertificateFiles.shared
        let options = try files.identity(files.serverKey)
        try await SSL.withProcess { _ in
            let listener = try await SSL.listen(0, options + [.ip("127.0.0.1")])
            guard case .certfile(let path) = options[0] else { return }
            try TemporaryFile.remove(path)
            let port = try SSL.port(listener)
            async let accepted = SSL.accept(listener, patience)
            _ = try await SSL.connect("127.0.0.1", port, [], patience)
            _ = try await accepted
        }
    }
}
