import DevelopmentCertificates
import Foundation
import TestSupport
import Testing

@testable import ClassicSSL
@testable import SecureSockets
@testable import TLSEngine

@Suite("§6.1 Reasons: own configuration", .countsRules, .timeLimit(.minutes(5)))
struct ConfigurationReasonsTests {
    /// What is wrong with the files of a call, and the reason.
    struct Case: Sendable, CustomTestStringConvertible {
        let reason: SSL.Reason
        let testDescription: String
        let options: @Sendable (CertificateFiles) throws -> [SSL.Option]

        init(_ reason: SSL.Reason, _ what: String, _ options: @escaping @Sendable (CertificateFiles) throws -> [SSL.Option]) {
            self.reason = reason
            self.testDescription = "\(reason): \(what)"
            self.options = options
        }
    }

    static let cases: [Case] = [
        Case(.ecacertfile, "no such file") { _ in [.cacertfile("/nowhere/ca.pem")] },
        Case(.ecacertfile, "a folder") { [.cacertfile($0.folder.path)] },
        Case(.ecacertfile, "no certificate in it") { [.cacertfile(try $0.write($0.serverKey.privateKeyPEM))] },
        Case(.ecacertfile, "empty") { [.cacertfile(try $0.write(""))] },
        // Only what is before it would be opened.
        Case(.ecacertfile, "a NUL character in its path") { [.cacertfile($0.ca + "\0x")] },
        Case(.ecertfile, "a NUL character in its path") { [.certfile(try $0.path(of: $0.server[0]) + "\0x"), $0.server[1]] },
        Case(.ekeyfile, "a NUL character in its path") { [$0.server[0], .keyfile(try $0.path(of: $0.server[1]) + "\0x")] },
        Case(.ecertfile, "no such file") { _ in [.certfile("/nowhere/certificate.pem")] },
        Case(.ecertfile, "only a key in it") { [.certfile(try $0.write($0.serverKey.privateKeyPEM))] },
        Case(.ecertfile, "nonsense in a block") {
            [.certfile(try $0.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))]
        },
        Case(.ekeyfile, "no such file") { $0.server.prefix(1) + [.keyfile("/nowhere/key.pem")] },
        Case(.ekeyfile, "the certificate's file has no key") { [.certfile(try $0.write($0.serverKey.certificatePEM))] },
        Case(.ekeyfile, "nonsense in a block") {
            $0.server.prefix(1) + [.keyfile(try $0.write("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))]
        },
        Case(.ekeyfile, "the password is missing") { try $0.encrypted() },
        Case(.ekeyfile, "the password is wrong") { try $0.encrypted() + [.password("wrong")] },
        Case(.ekeyfile, "a key without a certificate is read as well") { _ in [.keyfile("/nowhere/key.pem")] },
        Case(.ekeymismatch, "another key") { [$0.server[0], $0.client[1]] },
        Case(.ekeymismatch, "a key of another kind") {
            let other = try CertifiedKey.selfSigned(key: .rsa2048)
            return [$0.server[0], .keyfile(try $0.write(other.privateKeyPEM))]
        },
        Case(.ecipher, "no name is known") { _ in [.ciphers("NONSENSE:RUBBISH")] },
        Case(.ecipher, "empty") { _ in [.ciphers("")] },
        Case(.ecipher, "a NUL character in it") { _ in [.ciphers("ECDHE-RSA-AES128-GCM-SHA256\0:NONSENSE")] },
    ]

    @Test(arguments: Self.cases)
    func `6_1: files and ciphers, in listen and in connect`(_ wrong: Case) async throws {
        let options = try wrong.options(CertificateFiles.shared)
        await #expect(throws: wrong.reason) { try await SSL.listen(0, options) }
        await #expect(throws: wrong.reason) { try await SSL.connect("127.0.0.1", 1, options, patience) }
        // Also without verification and with it (§3, `cacertfile`).
        await #expect(throws: wrong.reason) { try await SSL.listen(0, options + [.verify(0)]) }
    }

    @Test(arguments: UnusableFile.all)
    func `6_1: files of other forms, of other kinds and too weak`(_ file: UnusableFile) async throws {
        let made = try file.made()
        let options: [SSL.Option] =
            [.certfile(made.chain), .keyfile(made.key)] + (made.trust.map { [.cacertfile($0)] } ?? [])
            + (file.password.map { [.password($0)] } ?? [])
        let reason: SSL.Reason =
            switch file.item {
            case _ where file.isMismatch: .ekeymismatch
            case .chain: .ecertfile
            case .key: .ekeyfile
            case .trust: .ecacertfile
            }
        await #expect(throws: reason) { try await SSL.listen(0, options) }
    }

    @Test func `6_1: enooptions and eoptions`() async {
        await #expect(throws: SSL.Reason.enooptions) { try await SSL.listen(0, []) }
        await #expect(throws: SSL.Reason.eoptions) { try await SSL.listen(0, [.verify(3)]) }
    }

    @Test func `6_1: enoservercert, from accept`() async throws {
        let files = try CertificateFiles.shared
        try await SSL.withProcess { _ in
            // A key alone is no identity.
            for options in [[.verify(0)], [files.server[1]]] as [[SSL.Option]] {
                let listener = try await SSL.listen(0, options)
                await #expect(throws: SSL.Reason.enoservercert) { try await SSL.accept(listener) }
            }
        }
    }
}

@Suite("§6.2 Reasons: the peer's certificate", .countsRules, .timeLimit(.minutes(5)))
struct CertificateReasonsTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let reason: SSL.Reason
        let testDescription: String
        /// The options of the end that shows its certificate.
        let identity: @Sendable (CertificateFiles) throws -> [SSL.Option]

        init(_ reason: SSL.Reason, _ what: String, _ identity: @escaping @Sendable (CertificateFiles) throws -> [SSL.Option]) {
            self.reason = reason
            self.testDescription = "\(reason): \(what)"
            self.identity = identity
        }
    }

    static let cases: [Case] = [
        Case(.epeercertexpired, "expired") { try $0.identity(try CertificateFiles.leaf(of: $0.authority, validity: .expired)) },
        Case(.epeercertinvalid, "not valid yet") {
            try $0.identity(try CertificateFiles.leaf(of: $0.authority, validity: .notYetValid))
        },
        Case(.eselfsignedcert, "the certificate itself") { try $0.identity(try CertifiedKey.selfSigned()) },
        Case(.eselfsignedcert, "an untrusted root, which was sent") { files in
            let key = try CertificateFiles.leaf(of: files.stranger)
            return try files.identity(key, chain: key.certificatePEM + files.stranger.certificatePEM)
        },
        Case(.enoissuercert, "an issuer that is not known") { try $0.identity(try CertificateFiles.leaf(of: $0.stranger)) },
        Case(.enoissuercert, "an intermediate that was not sent") {
            let key = try CertificateFiles.leaf(of: try $0.authority.intermediate())
            return try $0.identity(key, chain: key.certificatePEM)
        },
        Case(.echaintoolong, "an intermediate more than the depth allows") {
            try $0.identity(try CertificateFiles.leaf(of: try $0.authority.intermediate()))
        },
        Case(.epeercert, "an issuer below a path length of 0") {
            let authority = try $0.authority.intermediate(commonName: "Upper", pathLength: 0).intermediate(commonName: "Lower")
            return try $0.identity(try CertificateFiles.leaf(of: authority))
        },
        // §6.2, last paragraph: several faults.
        Case(.enoissuercert, "no trusted end comes before the dates") {
            try $0.identity(try CertificateFiles.leaf(of: $0.stranger, validity: .expired))
        },
        Case(.epeercertexpired, "the dates come before the length") {
            try $0.identity(try CertificateFiles.leaf(of: try $0.authority.intermediate(), validity: .expired))
        },
        Case(.enoissuercert, "no trusted end comes before the length") {
            try $0.identity(try CertificateFiles.leaf(of: try $0.stranger.intermediate().intermediate()))
        },
    ]

    @Test(arguments: Self.cases, [true, false])
    func `6_2: a certificate that is refused`(_ bad: Case, _ isServers: Bool) async throws {
        let files = try CertificateFiles.shared
        let (identity, verifier) = (try bad.identity(files), [SSL.Option.verify(2), .cacertfile(files.ca)])
        let meeting =
            try await
            (isServers
            ? Meeting(listen: identity, connect: verifier)
            : Meeting(listen: files.server + verifier, connect: identity))
        #expect((isServers ? meeting.client : meeting.server) == bad.reason)
        // §6.3, the rejected side: an alert.
        #expect((isServers ? meeting.server : meeting.client) == .esslerrssl)
    }

    @Test(arguments: [true, false])
    func `6_2: epeercert for the wrong purpose`(_ isServers: Bool) async throws {
        let files = try CertificateFiles.shared
        let key = try CertificateFiles.leaf(of: files.authority, purposes: isServers ? [.client] : [.server])
        let verifier = [SSL.Option.verify(2), .cacertfile(files.ca)]
        let meeting =
            try await
            (isServers
            ? Meeting(listen: files.identity(key), connect: verifier)
            : Meeting(listen: files.server + verifier, connect: files.identity(key)))
        #expect((isServers ? meeting.client : meeting.server) == .epeercert)
    }

    @Test func `6_2: epeercert for a signature that is not the issuer's`() async throws {
        let files = try CertificateFiles.shared
        let forged = try OddCertificate.forged(of: files.authority, purpose: .server)
        let listener = try await SecureListener.bind(
            host: "127.0.0.1", port: 0, tls: TLSServerConfiguration(identity: forged), options: .patient, listening: .patient)
        async let accepted = try? listener.accept(timeout: Encounter.patience)
        await #expect(throws: SSL.Reason.epeercert) {
            try await SSL.connect(
                "127.0.0.1", listener.localEndpoint.port, [.verify(1), .cacertfile(files.ca)], patience)
        }
        _ = await accepted
    }

    @Test(arguments: [
        (["enoissuercert"], [2, 20, 21]), (["epeercertexpired"], [10]), (["epeercertinvalid"], [9, 13, 14]),
        (["eselfsignedcert"], [18, 19]), (["echaintoolong"], [22]), (["enomem"], [17]),
        (["epeercert"], [7, 23, 24, 25, 26, 27, 28, 34] + Array(47...53) + Array(62...64)),
    ])
    func `6_2: the library's codes and their reasons`(_ reason: [String], _ codes: [Int]) {
        for code in codes {
            let refusal = CertificateRefusal(
                code: Int32(code), depth: 0, certificate: nil, expectedName: nil, depthLimit: nil)
            #expect([SSL.Reason(CertificateProblem(refusal)).atom] == reason, "\(code)")
        }
    }
}

@Suite("§6.3 Reasons: handshake and protocol", .countsRules, .timeLimit(.minutes(5)))
struct HandshakeReasonsTests {
    @Test func `6_3: esslaccept, the client hangs up in mid-handshake`() async throws {
        #expect(try await self.acceptReason { _ in } == .esslaccept)
    }

    @Test func `6_3: econnreset, the client resets the connection in mid-handshake`() async throws {
        #expect(try await self.acceptReason { $0.reset() } == .econnreset)
    }

    @Test func `6_3: esslerrssl, a client that does not speak TLS`() async throws {
        let reason = try await self.acceptReason { client in
            try client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try client.receiveUntilEnd()
        }
        #expect(reason == .esslerrssl)
    }

    @Test func `6_3: esslconnect, the server hangs up in mid-handshake`() async throws {
        let reason = try await self.connectReason { _ = try $0.receiveRecord() }
        #expect(reason == .esslconnect)
    }

    @Test func `6_3: econnreset, the server resets the connection in mid-handshake`() async throws {
        let reason = try await self.connectReason { server in
            _ = try server.receiveRecord()
            server.reset()
        }
        #expect(reason == .econnreset)
    }

    @Test func `6_3: esslerrssl, a server that speaks plain HTTP`() async throws {
        let reason = try await self.connectReason { server in
            try server.send("HTTP/1.1 400 Bad Request\r\n\r\n")
            try server.receiveUntilEnd()
        }
        #expect(reason == .esslerrssl)
    }

    @Test func `6_3: esslerrssl, no cipher in common`() async throws {
        var parameters = TLSParameters()
        parameters.versions = .tls12 ... .tls12
        let tls = try TestCertificates.shared.get().serverConfiguration(parameters: parameters)
        let listener = try await SecureListener.bind(host: "127.0.0.1", port: 0, tls: tls, options: .patient, listening: .patient)
        async let accepted = Self.code { _ = try await listener.accept(timeout: Encounter.patience) }
        // The server's key is of another kind.
        await #expect(throws: SSL.Reason.esslerrssl) {
            try await SSL.connect(
                "127.0.0.1", listener.localEndpoint.port, [.ciphers("ECDHE-RSA-AES128-GCM-SHA256")], patience)
        }
        #expect(await accepted == "esslerrssl")
    }

    @Test func `6_3 and 10-10: esslerrssl, verify 2 and no client certificate`() async throws {
        let meeting = try await Meeting(listen: [.verify(2), .cacertfile(CertificateFiles.shared.ca)])
        #expect(meeting.server == .esslerrssl)
        #expect(meeting.client == .esslerrssl)
    }

    @Test func `6_3 the rejected side: with TLS 1_3 the first recv or message tells, once`() async throws {
        let files = try CertificateFiles.shared
        for isActive in [true, false] {
            try await SSL.withProcess { _ in
                let listener = try await Pair.listener([.verify(2), .cacertfile(files.ca)])
                async let server = reason { _ = try await SSL.accept(listener, patience) }
                let socket = try await SSL.connect("127.0.0.1", try SSL.port(listener), [.active(isActive)], patience)
                if isActive {
                    #expect(try await Note.next(of: socket) == .error(.esslerrssl))
                    #expect(try await Note.next(of: socket) == .closed)
                } else {
                    await #expect(throws: SSL.Reason.esslerrssl) { try await SSL.recv(socket, 0, patience) }
                    await #expect(throws: SSL.Reason.closed) { try await SSL.recv(socket, 0, patience) }
                }
                #expect(await server == .esslerrssl)
            }
        }
    }

    /// Why `accept` failed with a client that plays this part.
    private func acceptReason(_ play: @escaping @Sendable (RawSocket) throws -> Void) async throws -> SSL.Reason? {
        try await SSL.withProcess { _ in
            let listener = try await Pair.listener()
            let port = try SSL.port(listener)
            async let outcome = reason { _ = try await SSL.accept(listener, patience) }
            try await onThread {
                let client = try RawSocket.connect(to: port)
                defer { client.close() }
                try play(client)
            }
            return await outcome
        }
    }

    /// Why `connect` failed with a server that plays this part.
    private func connectReason(_ play: @escaping @Sendable (RawSocket) throws -> Void) async throws -> SSL.Reason? {
        let listener = try RawListener()
        async let played: Void = listener.play(play)
        let outcome = await reason { _ = try await SSL.connect("127.0.0.1", listener.port, [], patience) }
        try await played
        return outcome
    }

    private static func code(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? SecureSocketError).map { SSL.Reason($0, call: .connect).atom }
        }
    }
}

@Suite("§6.4 to §6.6 Reasons: state, call and inet", .countsRules, .timeLimit(.minutes(5)))
struct OtherReasonsTests {
    @Test func `6_4: badcall names the call`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair()
            #expect(await reason { _ = try await SSL.recv(pair.accepted, 0) } == .badcall("recv"))
            let foreign = SSL.spawn {
                let refusal = await reason { try await SSL.controllingProcess(pair.accepted, SSL.Process.current) }
                #expect(refusal == .badcall("controlling_process"))
            }
            try await foreign.task.value
            #expect("\(SSL.Reason.badcall("recv"))" == #"{badcall,"recv"}"#)
        }
    }

    @Test func `6_6: econnrefused, eaddrinuse, eaddrnotavail, nxdomain`() async throws {
        let unused = try RawListener(isListening: false)
        await #expect(throws: SSL.Reason.econnrefused) { try await SSL.connect("127.0.0.1", unused.port, [], patience) }
        let used = try RawListener()
        await #expect(throws: SSL.Reason.eaddrinuse) { try await SSL.listen(used.port, [.ip("127.0.0.1")]) }
        await #expect(throws: SSL.Reason.eaddrnotavail) { try await SSL.listen(0, [.ip("192.0.2.1")]) }
        await #expect(throws: SSL.Reason.nxdomain) { try await SSL.connect("no-such-host.invalid", 443, [], patience) }
    }

    @Test func `6_6: enetunreach`() async {
        // TCP has no connections with a group of hosts (RFC 9293 §3.9.2.3).
        await #expect(throws: SSL.Reason.enetunreach) { try await SSL.connect("224.0.0.1", 443, [], patience) }
    }

    #if os(Linux)
        @Test(.enabled(if: Self.mayOnlyTheSuperuserListenOnPort1, "anybody may listen on any port here"))
        func `6_6: eacces`() async {
            await #expect(processExitsWith: .success) {
                if getuid() == 0 { #expect(seteuid(65_534) == 0) }
                await #expect(throws: SSL.Reason.eacces) { try await SSL.listen(1, [.ip("127.0.0.1")]) }
            }
        }

        private static let mayOnlyTheSuperuserListenOnPort1: Bool = {
            let first = try? String(contentsOfFile: "/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding: .utf8)
            return first.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) } ?? 1024 > 1
        }()
    #endif

    @Test func `8: beyond the limit of descriptors it is emfile, and nothing else is harmed`() async {
        await #expect(processExitsWith: .success) {
            try await SSL.withProcess { _ in
                let files = try CertificateFiles.shared
                let pair = try await Pair(both: [.active(false)])
                let port = try SSL.port(pair.listener)
                let client = try RawSocket.connect(to: port)
                try await DescriptorLimit.withNoneLeft {
                    await #expect(throws: SSL.Reason.emfile) { try await SSL.accept(pair.listener, patience) }
                    await #expect(throws: SSL.Reason.emfile) { try await SSL.connect("127.0.0.1", port, [], patience) }
                    await #expect(throws: SSL.Reason.emfile) { try await SSL.listen(0, [.ip("127.0.0.1")]) }
                    // The files cannot be opened, but nothing is wrong with them.
                    for files in [files.server, [.cacertfile(files.ca)], [files.client[1]]] as [[SSL.Option]] {
                        await #expect(throws: SSL.Reason.emfile) { try await SSL.listen(0, [.ip("127.0.0.1")] + files) }
                        await #expect(throws: SSL.Reason.emfile) { try await SSL.connect("127.0.0.1", port, files, patience) }
                    }
                    try await SSL.send(pair.accepted, "unharmed")
                    #expect(try await receive(8, from: pair.connected) == Array("unharmed".utf8))
                }
                // The client has waited in the queue.
                client.close()
                await #expect(throws: SSL.Reason.esslaccept) { try await SSL.accept(pair.listener, patience) }
                async let accepted = SSL.accept(pair.listener, patience)
                _ = try await SSL.connect("127.0.0.1", port, [], patience)
                _ = try await accepted
            }
        }
    }

    @Test func `8: also if it is the first thing that the program does, and the next call tries again`() async {
        await #expect(processExitsWith: .success) {
            try await SSL.withProcess { _ in
                try await DescriptorLimit.withNoneLeft {
                    await #expect(throws: SSL.Reason.emfile) { try await SSL.connect("127.0.0.1", 443, [.verify(0)], patience) }
                    await #expect(throws: SSL.Reason.emfile) { try await SSL.listen(0, [.ip("127.0.0.1")]) }
                    await #expect(throws: SSL.Reason.emfile) { try await SSL.receive(1000) }
                    // A process runs, and its calls say the same.
                    let process = SSL.spawn {
                        await #expect(throws: SSL.Reason.emfile) { try await SSL.listen(0, [.ip("127.0.0.1")]) }
                    }
                    try await process.task.value
                }
                let pair = try await Pair(both: [.active(false)])
                try await SSL.send(pair.accepted, "unharmed")
                #expect(try await receive(8, from: pair.connected) == Array("unharmed".utf8))
                await #expect(throws: SSL.Reason.timeout) { try await SSL.receive(1) }
            }
        }
    }

    static let atoms = [
        "enooptions", "eoptions", "ecacertfile", "ecertfile", "ekeyfile", "ekeymismatch", "ecipher", "enoservercert",
        "enoissuercert", "epeercertexpired", "epeercertinvalid", "eselfsignedcert", "echaintoolong", "epeercert",
        "esslaccept", "esslconnect", "esslerrssl", "ex509lookup", "ewantconnect", "closed", "timeout", "enotlistener",
        "enotconn", "ebadsocket", "ebadstate", "ebrokertype", "enoproxysocket", "ebadf", "enotsock",
    ]
    /// The names of inet(3).
    static let inet = """
        e2big eacces eaddrinuse eaddrnotavail eadv eafnosupport eagain ealign ealready ebade ebadf ebadfd ebadmsg
        ebadr ebadrpc ebadrqc ebadslt ebfont ebusy echild echrng ecomm econnaborted econnrefused econnreset edeadlk
        edeadlock edestaddrreq edirty edom edotdot edquot eduppkg eexist efault efbig eftype ehostdown ehostunreach
        eidrm einit einprogress eintr einval eio eisconn eisdir eisnam el2hlt el2nsync el3hlt el3rst elbin elibacc
        elibbad elibexec elibmax elibscn elnrng eloop emfile emlink emsgsize emultihop enametoolong enavail enet
        enetdown enetreset enetunreach enfile enoano enobufs enocsi enodata enodev enoent enoexec enolck enolink
        enomem enomsg enonet enopkg enoprotoopt enospc enosr enostr enosym enosys enotblk enotconn enotdir enotempty
        enotnam enotsock enotsup enotty enotuniq enxio eopnotsupp eoverflow eperm epfnosupport epipe eproclim
        eprocunavail eprogmismatch eprogunavail eproto eprotonosupport eprototype erange erefused eremchg eremdev
        eremote eremoteio eremoterelease erofs erpcmismatch erremote eshutdown esocktnosupport espipe esrch esrmnt
        estale esuccess etime etimedout etoomanyrefs etxtbsy euclean eunatch eusers eversion ewouldblock exbadport
        exbadseq exdev exfull nxdomain
        """.split { $0 == " " || $0 == "\n" }.map(String.init)

    /// The names of what this operating system can report.
    static let system = (Int32(1)...200).filter { !SystemError.text(of: $0).hasPrefix("Unknown error") }
        .map { ErrorNumber.name(of: $0) }

    @Test func `6_6: the names of all numbers are known`() {
        #expect(Self.system.count > 90)
        #expect(!Self.system.contains { $0.hasPrefix("errno") })
        #expect(ErrorNumber.name(of: ECONNREFUSED) == "econnrefused")
        #expect(ErrorNumber.name(of: EAGAIN) == "eagain")
        #expect(ErrorNumber.name(of: EOPNOTSUPP) == "eopnotsupp")
        #expect(ErrorNumber.name(of: 0) == "errno0")
    }

    @Test(arguments: Set(Self.atoms + Self.inet + Self.system).sorted())
    func `2 format_error 1: every reason has a text of its own`(_ atom: String) {
        let reason = SSL.Reason(atom: atom)
        #expect(reason.atom == atom && reason.description == atom)
        let text = SSL.formatError(reason)
        #expect(!text.isEmpty && !text.hasPrefix("unknown reason"))
        #expect(SSL.formatError(.atom(atom)) == text)
        #expect(SSL.formatError(.tuple([.atom("error"), .atom(atom)])) == text)
    }

    @Test func `2 format_error 1: no two reasons have the same text`() {
        let texts = Set(Self.atoms + Self.inet + Self.system).map { SSL.formatError(SSL.Reason(atom: $0)) }
        #expect(Set(texts).count == texts.count)
    }

    @Test(arguments: ["badcall", "badcast", "badinfo"])
    func `2 format_error 2: the pairs, whatever their second part is`(_ tag: String) {
        for payload in [SSL.Term.string("recv"), .atom("x"), .tuple([]), .list([.integer(1)]), .string("")] {
            let text = SSL.formatError(.tuple([.atom(tag), payload]))
            #expect(!text.isEmpty && !text.hasPrefix("unknown"))
        }
        for reason in [SSL.Reason.badcall("c"), .badcast("c"), .badinfo("c")] { #expect(!SSL.formatError(reason).isEmpty) }
    }

    @Test func `2 format_error 3: anything unknown is shown`() {
        let terms: [(SSL.Term, String)] = [
            (.atom("no_such_reason"), "no_such_reason"), (.integer(-7), "-7"), (.string("text"), "text"), (.string(""), "\"\""),
            (.binary([1, 2]), "<<1,2>>"), (.list([]), "[]"), (.tuple([]), "{}"), (.list([.integer(1), .atom("b")]), "[1,b]"),
            (.tuple([.atom("a"), .integer(1), .string("z")]), "{a,1,\"z\"}"), (.tuple([.atom("error"), .integer(5)]), "5"),
            (.tuple([.atom("error"), .tuple([.atom("what"), .atom("where")])]), "{what,where}"),
        ]
        for (term, shown) in terms { #expect(SSL.formatError(term).contains(shown), "\(term)") }
        #expect(SSL.formatError(SSL.Reason.posix("estrange")).contains("estrange"))
        #expect(!SSL.formatError(SSL.Reason.posix("")).isEmpty)
    }
}
