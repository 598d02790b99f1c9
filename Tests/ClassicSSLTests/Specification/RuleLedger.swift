import TestSupport
import Testing

/// Every rule of the specification (`Sources/ClassicSSL/Documentation.docc/Specification.md`), and the test that covers it.
///
/// A rule's name is its section, and the row or the item in it: `2.recv.3` is the third row of the table of `recv`.
enum RuleLedger {
    enum Coverage: Sendable {
        /// The test's name, as it stands in a file of `Tests/ClassicSSLTests`.
        case test(String)
        /// No test here, and why.
        case none(String)
    }

    /// The specification's rules, counted off section by section.
    static let specification: [String] =
        Self.numbered("1", 10) + Self.numbered("2.accept", 9) + Self.numbered("2.connect", 7) + Self.numbered("2.listen", 7)
        + Self.numbered("2.close", 6) + Self.numbered("2.controlling_process", 6) + Self.numbered("2.names", 4)
        + Self.numbered("2.pid", 1) + Self.numbered("2.recv", 11) + Self.numbered("2.send", 7) + Self.numbered("2.setopts", 3)
        + Self.numbered("2.format_error", 4)
        + Self.named(
            "3",
            "binary packet nodelay active backlog ip verify depth certfile keyfile password cacertfile ciphers cachetimeout")
        + Self.numbered("3", 6) + Self.numbered("4.1", 5) + Self.numbered("4.2", 2) + Self.numbered("4.3", 2)
        + Self.named("4.4", "row1 row2 row3 row4 row5 fin reset othererror tlserror closenotify")
        + Self.named("4.5", "passive packet active") + Self.named("5", "0client 0server 1client 1server 2client 2server")
        + Self.named("5", "depth trusted amnesty")
        + Self.named("6.1", "enooptions eoptions ecacertfile ecertfile ekeyfile ekeymismatch ecipher enoservercert")
        + Self.named("6.2", "enoissuercert epeercertexpired epeercertinvalid eselfsignedcert echaintoolong epeercert several")
        + Self.named("6.3", "esslaccept esslconnect esslerrssl posix ex509lookup ewantconnect retried rejected")
        + Self.named("6.4", "closed timeout enotlistener enotconn badcall badcast badinfo")
        + Self.named("6.5", "ebadsocket ebadstate ebrokertype enoproxysocket ebadf") + Self.named("6.6", "names")
        + Self.named("7", "ssl ssl_closed ssl_error exit exitabnormal order ownersend listenersend othersend checks")
        + Self.named(
            "7.table", "accept send recv setopts other peername sockname controlling_process pid close") + Self.numbered("8", 6)
        + Self.named("8", "descriptors slow resumption versions") + Self.numbered("9", 16) + Self.numbered("10", 10)

    private static func numbered(_ section: String, _ count: Int) -> [String] { (1...count).map { "\(section).\($0)" } }

    private static func named(_ section: String, _ names: String) -> [String] {
        names.split(separator: " ").map { "\(section).\($0)" }
    }

    private static let table = "every call answers as its row says"
    private static let textOnly = "not reachable by the public functions; its text is tested with the others'"

    static let entries: [(rule: String, coverage: Coverage)] = [
        ("1.1", .test(Self.table)),
        ("1.2", .test("1 2 and 2 pid: a socket stays comparable, and its process has a name, also after close")),
        ("1.3", .test("1 3: the accepting process is the owner, not the listener's")),
        ("1.4", .test("7 exit 4: a process that traps exits hears of its own closing, once for each socket")),
        ("1.5", .test("7 end of another process: nothing changes")),
        ("1.6", .test("1 6: a passive socket never sends a message")),
        ("1.7", .test("4_4 row 2: after a failed send, what arrived is still received")),
        ("1.8", .test("1 8: only close or the end of the owner frees a socket")),
        ("1.9", .test("1 9: a negative timeout is einval")),
        ("1.10", .test("2 connect 1: unknown names and malformed addresses")),

        ("2.accept.1", .test("2 accept 1: the socket comes with its handshake complete")),
        ("2.accept.2", .test(Self.table)),
        ("2.accept.3", .test("2 accept 3: every option of the listener is inherited")),
        ("2.accept.4", .test("2 accept 4: a client that is still in its handshake is dropped")),
        ("2.accept.5", .test("2 accept 5: a listener without a certificate says so without waiting for a client")),
        ("2.accept.6", .test("2 accept 6: a failed client uses up one accept and does no harm to the listener")),
        ("2.accept.7", .test("2 accept 7: a silent client holds up one of several pending accepts")),
        ("2.accept.8", .test("2 accept 8: closing the listener ends every pending accept, and accepted sockets live on")),
        ("2.accept.9", .none("a task cannot look into its mailbox while it waits in `accept`")),

        ("2.connect.1", .test("2 connect 1: a name, a dotted string or four numbers")),
        ("2.connect.2", .test("2 connect 2: an empty list is every default")),
        ("2.connect.3", .test("2 connect 3: options, then files, then the rest")),
        ("2.connect.4", .test("6_6: econnrefused, eaddrinuse, eaddrnotavail, nxdomain")),
        ("2.connect.5", .test("2 connect 5: not established in time, handshake included")),
        ("2.connect.6", .test("2 connect 6: ports out of range")),
        ("2.connect.7", .test("2 connect 7: the name in the certificate is not compared")),

        ("2.listen.1", .test("2 listen 1: port 0 picks a free port")),
        ("2.listen.2", .test("2 listen 2: an empty list is refused before anything else")),
        ("2.listen.3", .test("2 listen 3: all addresses of this machine by default")),
        ("2.listen.4", .test("2 listen 4: what the operating system refuses")),
        ("2.listen.5", .test("2 listen 5: a port is free again after a close")),
        ("2.listen.6", .test("2 listen 6: a bad file fails the call and leaves the port free")),
        ("2.listen.7", .test(Self.table)),

        ("2.close.1", .test(Self.table)),
        ("2.close.2", .test("2 close 2: everything that was sent still goes out, and then the end")),
        ("2.close.3", .test("2 close 3: nothing comes after close, though the peer closes at the same time")),
        ("2.close.4", .test("2 close 4: calls in progress end with closed")),
        ("2.close.5", .test("2 close 5: closing again has no effect")),
        ("2.close.6", .test("7 exit 4: a process that traps exits hears of its own closing, once for each socket")),

        (
            "2.controlling_process.1",
            .test("2 controlling_process 1 and 3: messages that wait are moved, those that follow go to the new owner")
        ),
        ("2.controlling_process.2", .test("2 controlling_process 2: only the owner may")),
        (
            "2.controlling_process.3",
            .test("2 controlling_process 1 and 3: messages that wait are moved, those that follow go to the new owner")
        ),
        ("2.controlling_process.4", .test("2 controlling_process 4: the new owner's end closes the socket")),
        ("2.controlling_process.5", .test("2 controlling_process 5: to oneself, and to a process that has ended")),
        ("2.controlling_process.6", .test("2 controlling_process 6: a closed socket")),

        ("2.names.1", .test("2 names 1: each end names the other")),
        ("2.names.2", .test("2 names 1: each end names the other")),
        ("2.names.3", .test("1 8: only close or the end of the owner frees a socket")),
        ("2.names.4", .test(Self.table)),
        ("2.pid.1", .test("1 2 and 2 pid: a socket stays comparable, and its process has a name, also after close")),

        ("2.recv.1", .test("2 recv 1: an active socket refuses, and nothing is consumed")),
        ("2.recv.2", .test("2 recv 2: length 0 takes what is there and waits if there is nothing")),
        ("2.recv.3", .test("2 recv 3: a length waits for exactly that many bytes")),
        ("2.recv.4", .test("2 recv 4: a length with packet or binary is einval, and nothing is consumed")),
        ("2.recv.5", .test("2 recv 5: negative and too great lengths")),
        ("2.recv.6", .test("4_1: every size, both modes, both directions")),
        ("2.recv.7", .test("2 recv 7: a timeout keeps what has arrived for a call that asks otherwise")),
        ("2.recv.8", .test("the rest of the data comes before closed")),
        ("2.recv.9", .test("2 recv 9: an end with fewer bytes than asked for leaves the rest to be read")),
        ("2.recv.10", .test("2 recv 10: calls are served in order, and hold nothing else up")),
        ("2.recv.11", .test("2 recv 11: data is a list, or a binary")),

        ("2.send.1", .test("2 send 1: lists, binaries and lists of them are one unit")),
        ("2.send.2", .test("2 send 2: send waits while the peer does not read")),
        ("2.send.3", .test("4_4 row 2: after a failed send, what arrived is still received")),
        ("2.send.4", .test(Self.table)),
        ("2.send.5", .test("2 send 4 and 5: empty data is nothing, or an empty packet")),
        ("2.send.6", .test("2 send 6: longer than the header can say is emsgsize, and the socket stays good")),
        ("2.send.7", .test("2 send 7: what is no byte is einval, nothing is sent, and the socket stays good")),
        ("2.setopts.1", .test("2 setopts 1: anything but nodelay is eoptions, whatever the state")),
        ("2.setopts.2", .test("2 setopts 1: anything but nodelay is eoptions, whatever the state")),
        ("2.setopts.3", .test("2 setopts 2 and 3: a good list")),
        ("2.format_error.1", .test("2 format_error 1: every reason has a text of its own")),
        ("2.format_error.2", .test("2 format_error 1: every reason has a text of its own")),
        ("2.format_error.3", .test("2 format_error 2: the pairs, whatever their second part is")),
        ("2.format_error.4", .test("2 format_error 3: anything unknown is shown")),

        ("3.binary", .test("2 recv 11: data is a list, or a binary")),
        ("3.packet", .test("4_1: every size, both modes, both directions")),
        ("3.nodelay", .test("3 nodelay: of the network socket, and inherited")),
        ("3.active", .test("1 6: a passive socket never sends a message")),
        ("3.backlog", .test("3 backlog: of the network socket")),
        ("3.ip", .test("3 ip: the address that is bound")),
        ("3.verify", .test("5: a certificate that is given must verify, unless verify is 0")),
        ("3.depth", .test("5 depth: a trusted certificate stands at position D or below")),
        ("3.certfile", .test("3 certfile: the whole chain is sent")),
        ("3.keyfile", .test("3 keyfile: the certificate's file by default")),
        ("3.password", .test("3 password: opens an encrypted key, and is ignored otherwise")),
        ("3.cacertfile", .test("3 cacertfile: the authorities are named to the clients")),
        ("3.ciphers", .test("3 ciphers: those of TLS 1_2, in that order, and unknown names are skipped")),
        ("3.cachetimeout", .test("3 cachetimeout: no longer than the lifetime")),
        ("3.1", .test("3_1: of an option given twice the first counts")),
        ("3.2", .test("3 wrong and 3_2: eoptions in both calls, also behind good options")),
        ("3.3", .test("3 values: good in listen and in connect")),
        ("3.4", .test("3_4: the order of the checks")),
        ("3.5", .test("3_5: a key without a certificate is legal in connect")),
        ("3.6", .test("3 6: files are read during listen, and not later")),

        ("4.1.1", .test("4_1: every size, both modes, both directions")),
        ("4.1.2", .test("4_1: every size, both modes, both directions")),
        ("4.1.3", .test("4_1: 0 against N is legal and shows the header")),
        ("4.1.4", .test("4_1: a header split over records")),
        ("4.1.5", .test("4_1: an empty packet is delivered, as an empty binary too")),
        ("4.2.1", .test("4_1: many packets in a record")),
        ("4.2.2", .test("7 messages 2: ssl_closed comes once, last")),
        ("4.3.1", .test("4_3: an announced length over the ceiling, passive")),
        ("4.3.2", .test("4_3: an announced length over the ceiling, active")),
        ("4.4.row1", .test("4_4 row 1: both directions are good")),
        ("4.4.row2", .test("4_4 row 2: after a failed send, what arrived is still received")),
        ("4.4.row3", .test("4_4 row 3: data, then closed, with close_notify or without")),
        ("4.4.row4", .test(Self.table)),
        ("4.4.row5", .test("4_4 row 5: closed here")),
        ("4.4.fin", .test("4_4 row 3: data, then closed, with close_notify or without")),
        ("4.4.reset", .test("4_4 row 3: a reset while reading is the end of the stream")),
        ("4.4.othererror", .test("4_4: any other read error is told once, and then closed")),
        ("4.4.tlserror", .test("4_4: a TLS error after the handshake is esslerrssl once, and then closed")),
        ("4.4.closenotify", .test("4_4: the peer's close_notify leaves us able to send until its end has been reported")),
        ("4.5.passive", .test("2 send 2: send waits while the peer does not read")),
        ("4.5.packet", .test("4_5: a packet larger than is read ahead is gathered whole")),
        (
            "4.5.active",
            .test("4_5: an active socket stops reading while its owner takes nothing, and loses nothing by it")
        ),

        ("5.0client", .test("5: a certificate that is given must verify, unless verify is 0")),
        ("5.0server", .test("5: what the server asks for")),
        ("5.1client", .test("5: a certificate that is given must verify, unless verify is 0")),
        ("5.1server", .test("5: a client without a certificate")),
        ("5.2client", .test("5: a certificate that is given must verify, unless verify is 0")),
        ("5.2server", .test("5: a client without a certificate")),
        ("5.depth", .test("5 depth: a trusted certificate stands at position D or below")),
        ("5.trusted", .test("5 depth: an intermediate in cacertfile helps to build the chain and does not end it")),
        ("5.amnesty", .test("10-7: depth is a limit, no amnesty")),

        ("6.1.enooptions", .test("6_1: enooptions and eoptions")),
        ("6.1.eoptions", .test("6_1: enooptions and eoptions")),
        ("6.1.ecacertfile", .test("6_1: files and ciphers, in listen and in connect")),
        ("6.1.ecertfile", .test("6_1: files and ciphers, in listen and in connect")),
        ("6.1.ekeyfile", .test("6_1: files and ciphers, in listen and in connect")),
        ("6.1.ekeymismatch", .test("6_1: files and ciphers, in listen and in connect")),
        ("6.1.ecipher", .test("6_1: files and ciphers, in listen and in connect")),
        ("6.1.enoservercert", .test("6_1: enoservercert, from accept")),
        ("6.2.enoissuercert", .test("6_2: a certificate that is refused")),
        ("6.2.epeercertexpired", .test("6_2: a certificate that is refused")),
        ("6.2.epeercertinvalid", .test("6_2: a certificate that is refused")),
        ("6.2.eselfsignedcert", .test("6_2: a certificate that is refused")),
        ("6.2.echaintoolong", .test("6_2: a certificate that is refused")),
        ("6.2.epeercert", .test("6_2: a certificate that is refused")),
        ("6.2.several", .test("6_2: a certificate that is refused")),
        ("6.3.esslaccept", .test("6_3: esslaccept, the client hangs up in mid-handshake")),
        ("6.3.esslconnect", .test("6_3: esslconnect, the server hangs up in mid-handshake")),
        ("6.3.esslerrssl", .test("6_3: esslerrssl, no cipher in common")),
        ("6.3.posix", .test("6_3: econnreset, the server resets the connection in mid-handshake")),
        ("6.3.ex509lookup", .none(Self.textOnly)),
        ("6.3.ewantconnect", .none(Self.textOnly)),
        ("6.3.retried", .none("a waiting library is retried inside; nothing of it can be seen here")),
        ("6.3.rejected", .test("6_3 the rejected side: with TLS 1_3 the first recv or message tells, once")),
        ("6.4.closed", .test(Self.table)),
        ("6.4.timeout", .test("2 connect 5: not established in time, handshake included")),
        ("6.4.enotlistener", .test(Self.table)),
        ("6.4.enotconn", .test(Self.table)),
        ("6.4.badcall", .test("6_4: badcall names the call")),
        ("6.4.badcast", .none(Self.textOnly)),
        ("6.4.badinfo", .none(Self.textOnly)),
        ("6.5.ebadsocket", .none(Self.textOnly)),
        ("6.5.ebadstate", .none(Self.textOnly)),
        ("6.5.ebrokertype", .none(Self.textOnly)),
        ("6.5.enoproxysocket", .none(Self.textOnly)),
        ("6.5.ebadf", .none(Self.textOnly)),
        ("6.6.names", .test("6_6: econnrefused, eaddrinuse, eaddrnotavail, nxdomain")),

        ("7.ssl", .test("7 messages 1: the data comes in the order of the stream, from the socket that was returned")),
        ("7.ssl_closed", .test("7 messages 2: ssl_closed comes once, last")),
        ("7.ssl_error", .test("4_4: a TLS error after the handshake is esslerrssl once, and then closed")),
        ("7.exit", .test("7 exit 4: passive sockets and those closed by others exit as well")),
        ("7.exitabnormal", .none("a socket process never ends abnormally: see 6.4.badcast")),
        ("7.order", .test("7 messages 1: the data comes in the order of the stream, from the socket that was returned")),
        ("7.ownersend", .test("7 end of the owner: its sockets are closed, and what was sent goes out")),
        ("7.listenersend", .test("2 accept 8: the end of the listener's owner ends pending accepts")),
        ("7.othersend", .test("7 end of a former owner: nothing changes")),
        ("7.checks", .test("7 order: the state is checked before the arguments")),
        ("7.table.accept", .test(Self.table)), ("7.table.send", .test(Self.table)), ("7.table.recv", .test(Self.table)),
        ("7.table.setopts", .test(Self.table)), ("7.table.other", .test(Self.table)), ("7.table.peername", .test(Self.table)),
        ("7.table.sockname", .test(Self.table)), ("7.table.controlling_process", .test(Self.table)),
        ("7.table.pid", .test(Self.table)), ("7.table.close", .test(Self.table)),

        ("8.1", .test("3_4: the order of the checks")),
        ("8.2", .test("2 accept 5: a listener without a certificate says so without waiting for a client")),
        ("8.3", .test("3_4: the order of the checks")),
        ("8.4", .test("4_4 row 1: both directions are good")),
        ("8.5", .test("1 8: only close or the end of the owner frees a socket")),
        ("8.6", .test("2 close 2: the end is sent as close_notify")),
        ("8.descriptors", .test("8: beyond the limit of descriptors it is emfile, and nothing else is harmed")),
        ("8.slow", .test("2 accept 7: a silent client holds up one of several pending accepts")),
        ("8.resumption", .test("8: a session is tied to one listener")),
        ("8.versions", .test("3 cachetimeout: TLS 1_2, server")),

        ("9.1", .test("4_4 row 2: after a failed send, what arrived is still received")),
        ("9.2", .test(Self.table)),
        ("9.3", .test("2 accept 1: the socket comes with its handshake complete")),
        ("9.4", .test("2 setopts 1: anything but nodelay is eoptions, whatever the state")),
        ("9.5", .test("3 wrong and 3_2: eoptions in both calls, also behind good options")),
        ("9.6", .test("3 wrong and 3_2: eoptions in both calls, also behind good options")),
        ("9.7", .test("3 values: good in listen, misplaced in connect")),
        ("9.8", .test("3 defaults: an accepted and a connected socket have them")),
        ("9.9", .test("3 ip: the address that is bound")),
        ("9.10", .test("3 cachetimeout: sessions are resumed within the lifetime, by servers and by clients")),
        ("9.11", .test("3 certfile: the whole chain is sent")),
        ("9.12", .test("3 wrong and 3_2: eoptions in both calls, also behind good options")),
        ("9.13", .test("6_2: a certificate that is refused")),
        ("9.14", .test("6_4: badcall names the call")),
        ("9.15", .test("2 recv 4: a length with packet or binary is einval, and nothing is consumed")),
        ("9.16", .test("2 names 1: each end names the other")),

        ("10.1", .test("6_1: enoservercert, from accept")),
        ("10.2", .test("2 recv 4: a length with packet or binary is einval, and nothing is consumed")),
        ("10.3", .test("4_1: many packets in a record")),
        ("10.4", .test("2 send 6: longer than the header can say is emsgsize, and the socket stays good")),
        ("10.5", .test("3 nodelay: of the network socket, and inherited")),
        ("10.6", .test("2 close 5: closing again has no effect")),
        ("10.7", .test("10-7: depth is a limit, no amnesty")),
        ("10.8", .test(Self.table)),
        ("10.9", .test("10-9: no exit comes from a call that failed")),
        ("10.10", .test("6_3 and 10-10: esslerrssl, verify 2 and no client certificate")),
    ]
}

@Suite("The specification's rules and their tests")
struct RuleLedgerTests {
    @Test(arguments: [
        ("## 1. ", "1"), ("### accept/1", "2.accept"), ("### connect/3", "2.connect"), ("### listen/2", "2.listen"),
        ("### close/1", "2.close"), ("### controlling_process/2", "2.controlling_process"), ("### peername/1", "2.names"),
        ("### recv/2", "2.recv"), ("### send/2", "2.send"), ("### setopts/2", "2.setopts"), ("## 9. ", "9"),
    ])
    func `each row of a table of the specification is a rule`(heading: String, section: String) throws {
        let page = try Repository.text(of: "Sources/ClassicSSL/Documentation.docc/Specification.md")
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix(heading) })
        let rows = lines[(start + 1)...].prefix { !$0.hasPrefix("#") }.filter { $0.hasPrefix("| ") }.dropFirst()
        let rules = RuleLedger.specification.filter {
            $0.hasPrefix("\(section).") && $0.split(separator: ".").last?.first?.isNumber == true
        }
        #expect(rows.count == rules.count)
    }

    @Test func `every rule is listed once, and its test exists`() throws {
        let rules = RuleLedger.entries.map(\.rule)
        #expect(Set(RuleLedger.specification).count == RuleLedger.specification.count)
        #expect(Set(rules).count == rules.count, "listed twice: \(Self.repeated(rules))")
        #expect(Set(rules).subtracting(RuleLedger.specification) == [], "unknown")
        #expect(Set(RuleLedger.specification).subtracting(rules) == [], "not listed")

        let source = try Repository.sources(in: "Tests/ClassicSSLTests")
        var tested = 0
        for (rule, coverage) in RuleLedger.entries {
            guard case .test(let name) = coverage else { continue }
            tested += 1
            #expect(source.contains("func `\(name)`("), "\(rule): no such test")
        }
        #expect(tested > 0)
    }

    private static func repeated(_ rules: [String]) -> [String] {
        Dictionary(grouping: rules) { $0 }.filter { $1.count > 1 }.keys.sorted()
    }
}
