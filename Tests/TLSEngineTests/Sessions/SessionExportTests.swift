import TestSupport
import Testing

@testable import TLSEngine

@Suite struct `Exported sessions` {
    private let world: SessionMeetings
    private let cache = SessionCache(capacity: 100)
    private let restored = SessionCache(capacity: 100)
    private let secret = TicketSecret(Array(0..<48))

    init() throws { self.world = try SessionMeetings() }

    /// A time within the lifetime of the sessions.
    private var now: UInt64 { TLSSettings(role: .client).now() }

    /// Fills the cache with sessions of servers at these places.
    private func fill(_ version: TLSVersion, places: Int = 1) async throws -> LiveServerContext {
        let server = try self.world.server()
        let client = try self.world.client(self.cache, version...version)
        for place in 1...places { _ = try await self.world.meet(client, server, at: "\(place)") }
        return server
    }

    private func export(removing: Bool = false) throws -> [UInt8] {
        try self.cache.export(sealedWith: self.secret, removing: removing, now: self.now).bytes
    }

    /// Expects that bytes are refused, and that nothing was restored.
    private func refusal(of bytes: [UInt8], with secret: TicketSecret? = nil) -> SessionExportError? {
        do throws(SessionExportError) {
            _ = try self.restored.restore(bytes, sealedWith: secret ?? self.secret, now: self.now)
            return nil
        } catch {
            #expect(self.restored.count == 0)
            return error
        }
    }

    @Test func `of TLS 1.2 are resumed again and again`() async throws {
        let server = try await self.fill(.v1_2)
        #expect(try self.restored.restore(self.export(), sealedWith: self.secret, now: self.now) == 1)
        let client = try self.world.client(self.restored, .v1_2 ... .v1_2)
        for _ in 1...3 { #expect(try await self.world.meet(client, server, at: "1") == nil) }
    }

    @Test func `of TLS 1.3 are resumed once`() async throws {
        let server = try await self.fill(.v1_3)
        #expect(try self.restored.restore(self.export(), sealedWith: self.secret, now: self.now) == 1)
        let client = try self.world.client(self.restored, .v1_3 ... .v1_3)
        let first = try await self.world.begin(client, server, at: "1")
        #expect(first.client.negotiated?.resumption == .resumed)
        #expect(first.client.negotiated?.peerCertificates.isEmpty == false)
        let second = try await self.world.begin(client, server, at: "1")
        #expect(second.client.negotiated?.fullHandshakeReason == .usedUp)
    }

    @Test(arguments: TLSVersion.allCases) func `are used by one cache only, if they were removed from the other`(
        version: TLSVersion
    ) async throws {
        let server = try await self.fill(version, places: 3)
        _ = try self.export()
        #expect(self.cache.count == 3)
        let export = try self.export(removing: true)
        #expect(self.cache.count == 0)
        let former = try self.world.client(self.cache, version...version)
        #expect(try await self.world.begin(former, server, at: "1").client.negotiated?.fullHandshakeReason == .usedUp)
        #expect(try self.restored.restore(export, sealedWith: self.secret, now: self.now) == 3)
        let client = try self.world.client(self.restored, version...version)
        for place in 1...3 { #expect(try await self.world.meet(client, server, at: "\(place)") == nil) }
    }

    @Test(arguments: TLSVersion.allCases) func `are not resumed under other settings, names or places`(
        version: TLSVersion
    ) async throws {
        let server = try await self.fill(version)
        _ = try self.restored.restore(self.export(), sealedWith: self.secret, now: self.now)
        let shallow = try self.world.client(self.restored, version...version) { $0.depth = 1 }
        let client = try self.world.client(self.restored, version...version)
        #expect(try await self.world.begin(shallow, server, at: "1").client.negotiated?.fullHandshakeReason == .differentPolicy)
        #expect(
            try await self.world.begin(client, server, as: "two", at: "1").client.negotiated?.fullHandshakeReason
                == .differentName)
        #expect(try await self.world.begin(client, server, at: "2").client.negotiated?.fullHandshakeReason == .noSession)
        #expect(try await self.world.meet(client, server, at: "1") == nil)
    }

    @Test func `are neither exported nor restored when they have expired`() async throws {
        _ = try await self.fill(.v1_3)
        let later = self.now + 60 * 24 * 3600
        let export = try self.export()
        #expect(try self.restored.restore(export, sealedWith: self.secret, now: later) == 0)
        #expect(self.restored.count == 0)
        #expect(try self.cache.export(sealedWith: self.secret, removing: false, now: later).count == 0)
    }

    @Test func `of an empty cache are none`() throws {
        #expect(try self.restored.restore(self.export(), sealedWith: self.secret, now: self.now) == 0)
    }

    @Test func `are restored within the bounds of the cache, and the newest are kept`() async throws {
        let server = try await self.fill(.v1_3, places: 20)
        let small = SessionCache(capacity: 4)
        #expect(try small.restore(self.export(), sealedWith: self.secret, now: self.now) == 4)
        #expect(small.count == 4)
        let client = try self.world.client(small, .v1_3 ... .v1_3)
        for place in 17...20 {
            #expect(try await self.world.begin(client, server, at: "\(place)").client.negotiated?.resumption == .resumed)
        }

        let narrow = SessionCache(capacity: 100, sessionsPerServer: 2)
        for _ in 1...5 { _ = try narrow.restore(self.export(), sealedWith: self.secret, now: self.now) }
        #expect(narrow.count == 40)
    }

    // MARK: Hostile input

    @Test(arguments: TLSVersion.allCases) func `are refused if any byte was altered`(version: TLSVersion) async throws {
        _ = try await self.fill(version)
        let export = try self.export()
        for index in export.indices {
            var altered = export
            altered[index] ^= 1
            let expected: SessionExportError =
                switch index {
                case ..<7: .notAnExport
                case 7: .unknownVersion(0)
                default: .notAuthentic
                }
            #expect(self.refusal(of: altered) == expected, "byte \(index)")
        }
    }

    @Test func `are refused if they are cut off, or continued`() async throws {
        _ = try await self.fill(.v1_3)
        let export = try self.export()
        for length in 0..<export.count {
            #expect(self.refusal(of: Array(export.prefix(length))) == (length < 36 ? .notAnExport : .notAuthentic))
        }
        #expect(self.refusal(of: export + [0]) == .notAuthentic)
    }

    @Test func `are refused with another secret`() async throws {
        _ = try await self.fill(.v1_3)
        #expect(try self.refusal(of: self.export(), with: TicketSecret(Array(1..<49))) == .notAuthentic)
    }

    @Test func `are refused if they are larger than any export, before they are decrypted`() {
        let large = Array("TLSsess".utf8) + [1] + [UInt8](repeating: 0, count: SessionCache.largestExport)
        #expect(self.refusal(of: large) == .tooLarge(limit: SessionCache.largestExport))
    }

    @Test(arguments: TLSVersion.allCases) func `are refused, or decoded, if the exporter was in error`(
        version: TLSVersion
    ) async throws {
        _ = try await self.fill(version)
        let content = try SessionExport.open(self.export(), with: self.secret)
        func restore(_ content: [UInt8]) throws -> SessionExportError? {
            let refusal = try self.refusal(of: SessionExport.seal(content, with: self.secret))
            self.restored.removeAll()
            return refusal
        }
        #expect(try restore(content) == nil)
        for length in 1..<content.count {
            #expect(try restore(Array(content.prefix(length))) == .malformed)
        }
        for index in content.indices {
            var altered = content
            altered[index] ^= 0x81
            #expect(try [nil, .malformed].contains(restore(altered)))
        }
        // Lengths that are larger than the memory.
        #expect(try restore([UInt8](repeating: 0xff, count: 100)) == .malformed)
        #expect(try restore(content + content + [0]) == .malformed)
    }

    // MARK: The digest of a configuration

    @Test func `belong to settings by a digest that is the same in every process`() throws {
        var settings = TLSSettings(role: .client)
        settings.applicationProtocols = ["h2"]
        let digest = try TLSContext(settings).digest.map { String(format: $0) }.joined()
        #expect(digest == "520222d50dbc54ea03dee9a23cae28522927d644d8a8f455a84cb41b820ed482")
        settings.cipherSuites = .strict("ECDHE-RSA-AES128-GCM-SHA256")
        settings.verification = .required
        let other = try TLSContext(settings).digest.map { String(format: $0) }.joined()
        #expect(other == "07455cb04277db5f0455824ca7da4743fba9e18386710ec644cff427190157bd")
    }
}

extension String {
    /// Two hexadecimal digits.
    fileprivate init(format byte: UInt8) { self = String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }
}
