import DevelopmentCertificates
import Foundation
import SecureSockets
import SecureSocketsTesting
import TestSupport
import Testing

/// Files of which some cannot be loaded: what is new in the others is put into use. A broken revocation list must not keep a server from
/// renewing its certificate, nor a broken certificate from learning of a revocation.
@Suite(.timeLimit(.minutes(5))) struct `Files of which some cannot be loaded` {
    private let folder: TemporaryDirectory
    private let clients: DevelopmentAuthority
    private let files: TLSFiles

    init() throws {
        self.folder = try TemporaryDirectory()
        self.clients = try DevelopmentAuthority(commonName: "clients")
        self.files = TLSFiles(
            certificateChain: self.folder.path(of: "tls.crt"), privateKey: self.folder.path(of: "tls.key"),
            clientTrust: self.folder.path(of: "ca.crt"), revocationLists: self.folder.path(of: "list.crl"),
            ocspResponse: nil)
        try self.write("first")
        _ = try self.folder.write(self.clients.certificatePEM, to: "ca.crt")
        try self.writeList(number: 1)
    }

    private func write(_ name: String) throws {
        let identity = try DevelopmentAuthority().server(names: [name])
        _ = try self.folder.write(identity.certificateChainPEM, to: "tls.crt")
        _ = try self.folder.write(identity.privateKeyPEM, to: "tls.key")
    }

    private func writeList(number: Int) throws {
        _ = try self.folder.write(self.clients.revocationList(of: [], number: number), to: "list.crl")
    }

    /// What a program uses of a snapshot.
    private struct Use: Equatable {
        var name: String?
        var listNumber: [UInt8]?
        var problems = 0

        init(_ name: String?, list number: UInt8, problems: Int = 0) {
            (self.name, self.listNumber, self.problems) = (name.map { "CN=\($0)" }, [number], problems)
        }

        init(_ snapshot: TLSFiles.Snapshot) {
            self.name = snapshot.identity.certificates.first?.subject
            self.listNumber = snapshot.revocationLists?.lists.first?.number
            self.problems = snapshot.problems.count
        }
    }

    /// The polls of files, with what was used and reported.
    private struct Dialogue {
        var polling: FilesPolling<TLSFiles>
        var used: [Use] = []
        var refuses = false

        mutating func poll(_ count: Int) async -> [TLSFiles.Event.Kind] {
            var events: [TLSFiles.Event.Kind] = []
            for _ in 0..<count {
                var used: [Use] = []
                let refuses = self.refuses
                _ = await self.polling.poll { snapshot in
                    used.append(Use(snapshot))
                    if refuses { throw PolledFiles.Refusal() }
                } report: { event in
                    events.append(event.kind)
                }
                self.used += used
            }
            return events
        }
    }

    private func dialogue() throws -> Dialogue {
        Dialogue(polling: FilesPolling(of: self.files, startingFrom: try self.files.load()))
    }

    @Test func `renew the certificate although a revocation list is damaged`() async throws {
        var dialogue = try self.dialogue()
        _ = try self.folder.write("<html>not found</html>", to: "list.crl")
        #expect(await dialogue.poll(6) == [.retrying, .failed])
        // There is nothing new in the other files.
        #expect(dialogue.used == [])

        try self.write("second")
        // The files have failed before, so that what can be used is used at once.
        #expect(await dialogue.poll(6) == [.retrying, .partiallyLoaded, .failed])
        #expect(dialogue.used == [Use("second", list: 1, problems: 1)])
        #expect(await dialogue.poll(5) == [])

        try self.writeList(number: 2)
        #expect(await dialogue.poll(3) == [.recovered, .loaded])
        #expect(dialogue.used.last == Use("second", list: 2))
    }

    @Test func `learn of a revocation although the key does not fit the certificate`() async throws {
        var dialogue = try self.dialogue()
        _ = try self.folder.write(DevelopmentAuthority().server(names: ["second"]).certificateChainPEM, to: "tls.crt")
        try self.writeList(number: 2)
        #expect(await dialogue.poll(6) == [.retrying, .failed, .partiallyLoaded])
        #expect(dialogue.used == [Use("first", list: 2, problems: 1)])
    }

    @Test(arguments: [DevelopmentIdentity.Validity.expired, .notYetValid])
    func `learn of a revocation although the renewed certificate is not valid today`(
        validity: DevelopmentIdentity.Validity
    ) async throws {
        var dialogue = try self.dialogue()
        let identity = try DevelopmentAuthority().server(names: ["second"], validity: validity)
        _ = try self.folder.write(identity.certificateChainPEM, to: "tls.crt")
        _ = try self.folder.write(identity.privateKeyPEM, to: "tls.key")
        try self.writeList(number: 2)
        #expect(await dialogue.poll(6) == [.retrying, .failed, .partiallyLoaded])
        #expect(dialogue.used == [Use("first", list: 2, problems: 1)])
    }

    @Test func `are loaded once more when the program is told to, with the former ones in place of what is damaged`() throws {
        let first = try self.files.load()
        _ = try self.folder.write("junk", to: "tls.crt")
        #expect(throws: SecureSocketError.self) { try self.files.load(replacing: first) }
        try self.writeList(number: 2)
        let second = try self.files.load(replacing: first)
        #expect(Use(second) == Use("first", list: 2, problems: 1))
        try self.write("third")
        #expect(try Use(self.files.load(replacing: second)) == Use("third", list: 2))
    }

    @Test func `return to the content before as a whole`() async throws {
        let list = try String(contentsOfFile: self.folder.path(of: "list.crl"), encoding: .utf8)
        let (chain, key) = (
            try String(contentsOfFile: self.folder.path(of: "tls.crt"), encoding: .utf8),
            try String(contentsOfFile: self.folder.path(of: "tls.key"), encoding: .utf8)
        )
        var dialogue = try self.dialogue()
        _ = try self.folder.write("", to: "list.crl")
        try self.write("second")
        #expect(await dialogue.poll(6) == [.retrying, .failed, .partiallyLoaded])
        _ = try self.folder.write(list, to: "list.crl")
        _ = try self.folder.write(chain, to: "tls.crt")
        _ = try self.folder.write(key, to: "tls.key")
        // The certificate in use is the second one: the first must be loaded again.
        #expect(await dialogue.poll(3) == [.recovered, .loaded])
        #expect(dialogue.used.last == Use("first", list: 1))
    }

    @Test func `are offered to the program again if it refuses the part, which is reported once`() async throws {
        var dialogue = try self.dialogue()
        dialogue.refuses = true
        _ = try self.folder.write("", to: "list.crl")
        try self.write("second")
        #expect(await dialogue.poll(16) == [.retrying, .failed, .updateFailed])
        #expect(dialogue.used.count == 3 && Set(dialogue.used.map(\.name)) == ["CN=second"])
        dialogue.refuses = false
        #expect(await dialogue.poll(6) == [.partiallyLoaded])
    }

    @Test func `are not used without the trust that a former snapshot never had`() async throws {
        let without = TLSFiles(
            certificateChain: self.folder.path(of: "tls.crt"), privateKey: self.folder.path(of: "tls.key"))
        var dialogue = Dialogue(polling: FilesPolling(of: self.files, startingFrom: try without.load()))
        _ = try self.folder.write("", to: "ca.crt")
        try self.write("second")
        // Otherwise a server would stop asking for certificates.
        #expect(await dialogue.poll(8) == [.retrying, .failed])
        #expect(dialogue.used == [])
    }

    @Test func `are an error when the program starts`() throws {
        _ = try self.folder.write("", to: "list.crl")
        let error = #expect(throws: SecureSocketError.self) { try self.files.load() }
        #expect(error?.code == .trustUnusable)
    }

    @Test func `are of several identities, each of which is renewed alone`() async throws {
        func write(_ name: String, to file: String) throws {
            let identity = try DevelopmentAuthority().server(names: [name])
            _ = try self.folder.write(identity.certificateChainPEM + identity.privateKeyPEM, to: file)
        }
        try write("a", to: "a.pem")
        try write("b", to: "b.pem")
        let (a, b) = (self.folder.path(of: "a.pem"), self.folder.path(of: "b.pem"))
        let files = TLSFiles(identities: [
            .init(certificateChain: a, privateKey: a), .init(certificateChain: b, privateKey: b),
        ])
        let first = try files.load()
        #expect(first.identities.map { $0.certificates.first?.subject } == ["CN=a", "CN=b"])
        #expect(first.identity.certificates == first.identities.first?.certificates)
        var polling = FilesPolling(of: files, startingFrom: first)
        var names: [[String?]] = []
        func poll(_ count: Int) async {
            for _ in 0..<count {
                _ = await polling.poll({ names.append($0.identities.map { $0.certificates.first?.subject }) }, report: { _ in })
            }
        }
        try write("b2", to: "b.pem")
        await poll(2)
        #expect(names == [["CN=a", "CN=b2"]])
        _ = try self.folder.write("", to: "b.pem")
        try write("a2", to: "a.pem")
        await poll(5)
        #expect(names.last == ["CN=a2", "CN=b2"])
        #expect(throws: SecureSocketError.self) { try TLSFiles(identities: []).load() }
    }

    // MARK: OCSP responses

    private func stapled(_ server: StapledServer, _ response: [UInt8]) throws -> TLSFiles {
        TLSFiles(
            certificateChain: try self.folder.write(server.leaf.pem, to: "tls.crt"),
            privateKey: try self.folder.write(server.leaf.key.pem, to: "tls.key"),
            ocspResponse: try self.folder.write(response, to: "tls.ocsp"))
    }

    @Test func `include no OCSP response that is outdated when the program starts`() throws {
        let server = try StapledServer()
        let snapshot = try self.stapled(server, server.response { $0.entries[0].nextUpdate = .of2024 }).load()
        #expect(snapshot.identity.nextUpdateOfOCSPResponse == nil)
        #expect(snapshot.problems.first?.description.contains("is outdated") == true)
    }

    @Test func `are an error when the program starts if the certificate requires the response`() throws {
        let server = try StapledServer(mustStaple: true)
        let files = try self.stapled(server, server.response { $0.entries[0].nextUpdate = .of2024 })
        let error = #expect(throws: SecureSocketError.self) { try files.load() }
        #expect(error?.description.contains("is outdated") == true)
    }

    @Test(arguments: [false, true])
    func `renew a certificate without its OCSP response, unless it requires one`(mustStaple: Bool) async throws {
        let first = try StapledServer(mustStaple: mustStaple)
        let files = try self.stapled(first, first.response())
        let snapshot = try files.load()
        #expect(snapshot.problems.isEmpty)
        let second = try StapledServer(mustStaple: mustStaple)
        // The response is still about the first one.
        _ = try self.stapled(second, first.response())
        var polling = FilesPolling(of: files, startingFrom: snapshot)
        var used: [TLSFiles.Snapshot] = []
        func poll(_ count: Int) async {
            for _ in 0..<count { _ = await polling.poll({ used.append($0) }, report: { _ in }) }
        }
        await poll(6)
        #expect(used.count == (mustStaple ? 0 : 1))
        if let part = used.first {
            #expect(part.identity.certificates.first?.derBytes == second.leaf.der)
            #expect(part.identity.nextUpdateOfOCSPResponse == nil)
        }
        _ = try self.folder.write(second.response(), to: "tls.ocsp")
        await poll(3)
        #expect(used.last?.identity.certificates.first?.derBytes == second.leaf.der)
        #expect(used.last?.identity.nextUpdateOfOCSPResponse != nil)
    }

    // MARK: Trust alone

    @Test func `may be those of a client without a certificate`() async throws {
        let files = TLSTrustFiles(self.folder.path(of: "ca.crt"), revocationLists: self.folder.path(of: "list.crl"))
        let first = try files.load()
        #expect(first.revocationLists?.lists.first?.number == [1])
        var polling = FilesPolling(of: files, startingFrom: first)
        var used: [TLSTrustFiles.Snapshot] = []
        var events: [TLSFiles.Event.Kind] = []
        func poll(_ count: Int) async {
            for _ in 0..<count { _ = await polling.poll({ used.append($0) }, report: { events.append($0.kind) }) }
        }
        await poll(3)
        #expect(used.isEmpty)
        try self.writeList(number: 2)
        await poll(2)
        #expect(used.last?.revocationLists?.lists.first?.number == [2])
        _ = try self.folder.write("", to: "ca.crt")
        try self.writeList(number: 3)
        await poll(5)
        #expect(used.last?.revocationLists?.lists.first?.number == [3])
        #expect(events == [.loaded, .retrying, .failed, .partiallyLoaded])
        #expect(used.last?.problems.count == 1)
        #expect(throws: SecureSocketError.self) { try files.load() }
        #expect("\(files)" == "\(self.folder.path(of: "ca.crt")), \(self.folder.path(of: "list.crl"))")
    }
}
