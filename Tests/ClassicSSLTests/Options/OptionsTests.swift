import DevelopmentCertificates
import Foundation
import NIOCore
import SecureSockets
import TestSupport
import Testing

@testable import ClassicSSL

@Suite("§3 Options", .countsRules, .timeLimit(.minutes(5)))
struct OptionsTests {
    /// An option in both spellings.
    private static func term(_ name: String, _ value: SSL.Term) -> SSL.Option {
        .term(.tuple([.atom(name), value]))
    }

    // MARK: Defaults and values

    @Test func `3 defaults: those of the table`() throws {
        for call in [SSL.Options.Call.listen, .connect] {
            let options = try SSL.Options([], for: call)
            #expect(!options.isBinary && options.framing == .none && !options.noDelay && options.isActive)
            #expect(options.backlog == 5 && options.ip == "0.0.0.0" && options.verify == 0 && options.depth == 1)
            #expect(options.certfile == nil && options.keyfile == nil && options.password == nil)
            #expect(options.cacertfile == nil && options.ciphers == nil && options.cachetimeout == nil)
        }
    }

    @Test func `3 defaults: an accepted and a connected socket have them`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair()
            for socket in [pair.accepted, pair.connected] {
                let options = try #require(socket.secureSocket?.options)
                #expect(options.framing == .none && !options.noDelay)
                #expect(options.streamRules == .classic)
                #expect(socket.secureSocket?.mode == [.active, .list])
            }
        }
    }

    /// Everything that is good in both calls.
    static let good: [SSL.Option] = [
        .binary, .packet(0), .packet(1), .packet(2), .packet(4), .nodelay(true), .nodelay(false), .active(true), .active(false),
        .verify(0), .verify(1), .verify(2), .depth(0), .depth(1), .depth(255), .certfile("a file"), .keyfile("a file"),
        .password(""), .password("secret"), .cacertfile("a file"), .ciphers("X"), .cachetimeout(0), .cachetimeout(86_400),
    ]

    @Test(arguments: Self.good)
    func `3 values: good in listen and in connect`(_ option: SSL.Option) throws {
        for call in [SSL.Options.Call.listen, .connect] { _ = try SSL.Options([option], for: call) }
    }

    static let goodInListen: [SSL.Option] = [
        .backlog(0), .backlog(5), .backlog(100_000), .ip("127.0.0.1"), .ip("0.0.0.0"), .ip(.ipv4(127, 0, 0, 1)),
        .ip(.ipv4(255, 255, 255, 255)),
    ]

    @Test(arguments: Self.goodInListen)
    func `3 values: good in listen, misplaced in connect`(_ option: SSL.Option) async throws {
        _ = try SSL.Options([option], for: .listen)
        await #expect(throws: SSL.Reason.eoptions) { try await SSL.connect("127.0.0.1", 1, [option], patience) }
    }

    static let wrong: [SSL.Option] = [
        .packet(3), .packet(8), .packet(-1), .packet(.max), .backlog(-1), .ip("127.0.0"), .ip("127.0.0.256"), .ip("1.2.3.4.5"),
        .ip("::1"), .ip("localhost"), .ip(""), .ip(.ipv4(256, 0, 0, 1)), .ip(.ipv4(0, 0, 0, -1)), .verify(3), .verify(-1),
        .depth(256), .depth(-1), .cachetimeout(-1),
        // Terms: `{binary,_}`, atoms for numbers, numbers for atoms, `{active,once}`.
        term("binary", .atom("true")), term("packet", .atom("two")), term("packet", .string("2")), term("active", .atom("once")),
        term("active", .integer(1)), term("nodelay", .integer(1)), term("nodelay", .atom("yes")), term("verify", .atom("two")),
        term("depth", .atom("one")), term("backlog", .string("5")), term("certfile", .atom("file")), term("keyfile", .integer(1)),
        term("password", .atom("secret")), term("cacertfile", .list([.atom("a")])), term("ciphers", .integer(1)),
        term("cachetimeout", .atom("infinity")), term("ip", .tuple([.integer(127), .integer(0), .integer(0)])),
        term(
            "ip",
            .tuple([.integer(0), .integer(0), .integer(0), .integer(0), .integer(0), .integer(0), .integer(0), .integer(1)])),
        term("ip", .tuple([.integer(127), .integer(0), .integer(0), .atom("one")])),
        // Not even options.
        term("no_such_option", .integer(1)), .term(.atom("packet")), .term(.integer(4)), .term(.tuple([])),
        .term(.string("binary")),
        .term(.tuple([.atom("packet")])), .term(.tuple([.atom("packet"), .integer(4), .integer(4)])),
        .term(.tuple([.string("packet"), .integer(4)])), .term(.list([.atom("binary")])),
        // 3.2: those of later releases.
        .term(.atom("list")), .term(.atom("raw")), .term(.atom("inet6")), term("mode", .atom("binary")),
        term("header", .integer(1)),
        term("packet", .atom("raw")), term("packet", .atom("line")), term("packet", .atom("cdr")), term("port", .integer(0)),
        term("reuseaddr", .atom("true")), term("keepalive", .atom("true")), term("versions", .list([])),
    ]

    @Test(arguments: Self.wrong)
    func `3 wrong and 3_2: eoptions in both calls, also behind good options`(_ option: SSL.Option) async throws {
        for options in [[option], [.active(false), option], [option, .active(false)]] as [[SSL.Option]] {
            await #expect(throws: SSL.Reason.eoptions) { try await SSL.listen(0, options) }
            await #expect(throws: SSL.Reason.eoptions) { try await SSL.connect("127.0.0.1", 1, options, patience) }
        }
    }

    @Test func `3 terms: every option in Erlang's form`() throws {
        let terms: [(SSL.Option, SSL.Option)] = [
            (.term(.atom("binary")), .binary), (Self.term("packet", .integer(4)), .packet(4)),
            (Self.term("nodelay", .atom("true")), .nodelay(true)), (Self.term("active", .atom("false")), .active(false)),
            (Self.term("nodelay", .atom("false")), .nodelay(false)), (Self.term("active", .atom("true")), .active(true)),
            (Self.term("backlog", .integer(7)), .backlog(7)), (Self.term("ip", .string("127.0.0.1")), .ip("127.0.0.1")),
            (
                Self.term("ip", .tuple([.integer(127), .integer(0), .integer(0), .integer(1)])), .ip(.ipv4(127, 0, 0, 1))
            ),
            (Self.term("verify", .integer(2)), .verify(2)), (Self.term("depth", .integer(3)), .depth(3)),
            (Self.term("certfile", .string("c")), .certfile("c")), (Self.term("keyfile", .string("k")), .keyfile("k")),
            (Self.term("password", .string("p")), .password("p")), (Self.term("cacertfile", .string("a")), .cacertfile("a")),
            (Self.term("ciphers", .string("x")), .ciphers("x")), (Self.term("cachetimeout", .integer(5)), .cachetimeout(5)),
        ]
        for (term, option) in terms { #expect(try term.typed() == option) }
    }

    @Test func `3_1: of an option given twice the first counts`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(
                listen: [.packet(1), .active(false), .packet(4), .active(true)], connect: [.active(false), .packet(0)])
            try await SSL.send(pair.accepted, "x")
            #expect(try await receive(2, from: pair.connected) == [1, 120])
            let options = try SSL.Options([.ip("127.0.0.1"), .ip("0.0.0.0"), .depth(3), .depth(5)], for: .listen)
            #expect(options.ip == "127.0.0.1" && options.depth == 3)
        }
    }

    // MARK: Effects

    @Test func `3 ip: the address that is bound`() async throws {
        try await SSL.withProcess { _ in
            for address in ["127.0.0.1", .ipv4(127, 0, 0, 1)] as [SSL.Address] {
                let listener = try await SSL.listen(0, [.ip(address)])
                #expect(try SSL.sockname(listener).address == [127, 0, 0, 1])
            }
        }
    }

    @Test func `3 nodelay: of the network socket, and inherited`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.nodelay(true)])
            #expect(pair.accepted.secureSocket?.options.noDelay == true)
            #expect(pair.connected.secureSocket?.options.noDelay == true)
            for (near, far) in [(pair.accepted, pair.connected), (pair.connected, pair.accepted)] {
                let ports = (try SSL.port(near), try SSL.port(far))
                let network = try #require(NetworkSocket.all(from: ports.0, to: ports.1).first)
                #expect(network.option(Int32(IPPROTO_TCP), TCP_NODELAY) == 1)
                try await SSL.setopts(near, [.nodelay(false)])
                #expect(network.option(Int32(IPPROTO_TCP), TCP_NODELAY) == 0)
            }
        }
    }

    #if os(Linux)
        @Test(arguments: [(nil, 5), (.backlog(7), 7)] as [(SSL.Option?, Int32)])
        func `3 backlog: of the network socket`(_ option: SSL.Option?, _ expected: Int32) async throws {
            try await SSL.withProcess { _ in
                let listener = try await SSL.listen(0, [.ip("127.0.0.1")] + (option.map { [$0] } ?? []))
                let port = try SSL.port(listener)
                let network = try #require(NetworkSocket.all(from: port, to: nil).first)
                #expect(network.backlog == expected)
            }
        }
    #endif

    @Test func `3 password: opens an encrypted key, and is ignored otherwise`() async throws {
        let files = try CertificateFiles.shared
        for identity in [try files.encrypted() + [.password("secret")], files.server + [.password("of nothing")]] {
            let meeting = try await Meeting(listen: identity)
            #expect(meeting.server == nil)
        }
    }

    @Test func `3 keyfile: the certificate's file by default`() async throws {
        let files = try CertificateFiles.shared
        let meeting = try await Meeting(listen: files.identity(files.serverKey))
        #expect(meeting.server == nil)
    }

    @Test func `3_5: a key without a certificate is legal in connect`() async throws {
        let files = try CertificateFiles.shared
        let meeting = try await Meeting(connect: [files.client[1]])
        #expect(meeting.client == nil)
    }

    @Test func `3 ciphers: those of TLS 1_2, in that order, and unknown names are skipped`() async throws {
        var parameters = TLSParameters()
        parameters.versions = .tls12 ... .tls12
        let tls = try TestCertificates.shared.get().serverConfiguration(parameters: parameters)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: tls, socketOptions: .patient, options: .patient)
        let names = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"]
        let standard: [TLSCipherSuite] = [
            .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ]
        try await SSL.withProcess { _ in
            for first in names.indices {
                let list = ["NONSENSE", names[first]] + names
                async let accepted = listener.accept(timeout: Encounter.patience)
                let socket = try await SSL.connect(
                    "127.0.0.1", listener.localEndpoint.port, [.ciphers(list.joined(separator: ":")), .cachetimeout(0)], patience)
                #expect(socket.secureSocket?.information.cipherSuite == standard[first])
                _ = try await accepted
            }
        }
    }

    @Test func `3 ciphers: a server takes no other, and TLS 1_3 is not affected`() async throws {
        let certificates = try TestCertificates.shared.get()
        var parameters = TLSParameters()
        parameters.versions = .tls12 ... .tls12
        let tls = try certificates.clientConfiguration(parameters: parameters)
        try await SSL.withProcess { _ in
            let options = [SSL.Option.ciphers("ECDHE-ECDSA-CHACHA20-POLY1305"), .ip("127.0.0.1")]
            let listener = try await SSL.listen(0, options + CertificateFiles.shared.identity(certificates.server))
            let port = try SSL.port(listener)
            async let old = SSL.accept(listener, patience)
            let socket = try await SecureSocket.connect(to: "127.0.0.1", port: port, tls: tls)
            #expect(socket.information.cipherSuite == .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)
            _ = try await old
            async let new = SSL.accept(listener, patience)
            let client = try await SSL.connect("127.0.0.1", port, [], patience)
            #expect(client.secureSocket?.information.version == .tls13)
            #expect(client.secureSocket?.information.cipherSuite.description.contains("AES") == true)
            _ = try await new
        }
    }

    @Test func `3 ciphers: at a server, the server's order decides, and without the option the client's`() async throws {
        let certificates = try TestCertificates.shared.get()
        var parameters = TLSParameters()
        parameters.versions = .tls12 ... .tls12
        parameters.tls12CipherSuites = [.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]
        let tls = try certificates.clientConfiguration(parameters: parameters)
        let inOurOrder = SSL.Option.ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256")
        try await SSL.withProcess { _ in
            for (options, suite) in [
                ([inOurOrder], TLSCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
                ([], .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
            ] {
                let listener = try await SSL.listen(
                    0, options + [.ip("127.0.0.1")] + CertificateFiles.shared.identity(certificates.server))
                async let accepted = SSL.accept(listener, patience)
                let socket = try await SecureSocket.connect(to: "127.0.0.1", port: SSL.port(listener), tls: tls)
                #expect(socket.information.cipherSuite == suite)
                _ = try await accepted
            }
        }
    }

    // MARK: Order

    @Test func `3_4: the order of the checks`() async throws {
        let files = try CertificateFiles.shared
        // Each list has every later fault as well.
        let trust = SSL.Option.cacertfile("/nowhere")
        let certificate = SSL.Option.certfile("/nowhere")
        let key = SSL.Option.keyfile("/nowhere")
        let ciphers = SSL.Option.ciphers("NONSENSE")
        let lists: [(SSL.Reason, [SSL.Option])] = [
            (.eoptions, [ciphers, key, certificate, trust, .packet(3)]),
            (.ecacertfile, [ciphers, key, certificate, trust]),
            (.ecertfile, [ciphers, key, certificate]),
            (.ekeyfile, [ciphers, key, files.server[0]]),
            (.ekeymismatch, [ciphers, files.client[1], files.server[0]]),
            (.ecipher, [ciphers] + files.server),
        ]
        let taken = try RawListener()
        for (reason, options) in lists {
            // 8, 1: before the port is tried.
            await #expect(throws: reason) { try await SSL.listen(taken.port, options + [.ip("127.0.0.1")]) }
            await #expect(throws: reason) { try await SSL.connect("no-such-host.invalid", 1, options, patience) }
        }
        await #expect(throws: SSL.Reason.eaddrinuse) {
            try await SSL.listen(taken.port, files.server + [.ip("127.0.0.1")])
        }
    }
}
