import SecureSockets
import TestSupport
import Testing

/// The errors for addresses where no connection can be made or accepted.
@Suite(.timeLimit(.minutes(5))) struct `Unusable addresses` {
    private let certificates: TestCertificates

    init() throws { self.certificates = try TestCertificates.shared.get() }

    @Test func `a port that is taken`() async throws {
        let listener = try await self.certificates.listen()
        let port = listener.localEndpoint.port
        let error = try await #require(throws: SecureSocketError.self) {
            _ = try await SecureListener.bind(host: "127.0.0.1", port: port, tls: self.certificates.serverConfiguration())
        }
        #expect(error.code == .addressInUse)
        #expect(error.blame == .configuration)
        #expect(error.step == .listening)
        #expect(
            error.description
                == "cannot listen on 127.0.0.1:\(port): Address already in use. "
                + "Choose another port, or end the program that has this one")
        listener.close()
        await listener.waitUntilClosed()
    }

    @Test func `an address that is not this machine's`() async throws {
        let error = try await #require(throws: SecureSocketError.self) {
            // TEST-NET-1 (RFC 5737) is assigned to no machine.
            _ = try await SecureListener.bind(host: "192.0.2.1", port: 0, tls: self.certificates.serverConfiguration())
        }
        #expect(error.code == .addressNotAvailable)
        #expect(error.blame == .configuration)
        #expect(error.step == .listening)
        #expect(error.message.hasPrefix("cannot listen on 192.0.2.1:0: "))
        #expect(error.advice == "Bind to an address of this machine")
    }

    @Test func `a host that does not exist`() async throws {
        // RFC 6761 §6.4: a name in .invalid never resolves.
        let error = try await self.certificates.refusal(at: 443, of: "no-such-host.invalid")
        #expect(error.code == .nameNotFound)
        #expect(error.blame == .configuration)
        #expect(error.step == .resolving)
        #expect(error.message.hasPrefix("the host name no-such-host.invalid is not known"))
        #expect(error.advice == "Check its spelling, and that this machine can resolve names")
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func `a port on which no program listens`(_ host: String) async throws {
        let dead = try RawListener(isListening: false)
        let port = dead.port
        let error = try await self.certificates.refusal(at: port, of: host)
        #expect(error.code == .connectionRefused)
        #expect(error.blame == .peer)
        #expect(error.step == .connecting)
        #expect(
            error.description
                == "cannot connect to \(host):\(port): Connection refused. "
                + "Check that the server is running and listens on this port")
    }
}
