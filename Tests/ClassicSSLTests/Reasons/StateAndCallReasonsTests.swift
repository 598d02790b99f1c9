import Foundation
import TestSupport
import Testing

@testable import ClassicSSL

@Suite("§6.4 to §6.6 Reasons: state, call and inet", .countsRules, .timeLimit(.minutes(5)))
struct StateAndCallReasonsTests {
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
        @Test(.enabled(if: Self.mayOnlyTheSuperuserListenOnPort1, "every user may listen on any port here"))
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
}
