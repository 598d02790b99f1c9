import ClassicSSL
import TestSupport
import Testing

/// How the two ends get their data.
enum Delivery: String, CaseIterable, CustomTestStringConvertible, Sendable {
    case active, passive
    case activeConnector = "active connector, passive acceptor"
    case activeAcceptor = "passive connector, active acceptor"

    var testDescription: String { self.rawValue }

    var server: [SSL.Option] { [.active(self == .active || self == .activeAcceptor)] }
    var client: [SSL.Option] { [.active(self == .active || self == .activeConnector)] }

    static let pure: [Delivery] = [.active, .passive]
}

/// The dialogues of the classic suites: who begins, what is sent back, who closes. Both ends have certificates and ask for the
/// other's. Every byte is compared; `ssl_closed` comes once, last, and never after one's own close; passive sockets send no message.
@Suite(.serialized, .timeLimit(.minutes(5))) struct `Scripts` {
    private let files: ClassicFiles

    init() throws { self.files = try ClassicFiles() }

    private func script(
        _ delivery: Delivery, connections: Int = 1, listener: [Command] = [.listen, .awaitOthers, .close],
        acceptor: [Command], connector: [Command], options: [SSL.Option] = []
    ) -> Script {
        Script(
            listener: listener, acceptor: acceptor, connector: connector, connections: connections,
            serverOptions: self.files.server + self.files.trust + [.verify(2)] + delivery.server + options,
            clientOptions: self.files.client + self.files.trust + [.verify(2)] + delivery.client + options)
    }

    private static let sizes = [1_000, 10_000, 50_000, 500_000]

    // MARK: One connection

    @Test(arguments: sizes, Delivery.allCases)
    func `the connector begins, the acceptor answers and closes`(size: Int, delivery: Delivery) async throws {
        try await self.script(
            delivery,
            acceptor: [.accept, .receive(size), .send(size), .close],
            connector: [.connect, .send(size), .receive(size), .expectClosed, .close]
        ).run()
    }

    @Test(arguments: sizes, Delivery.allCases)
    func `the acceptor begins, the connector answers and closes`(size: Int, delivery: Delivery) async throws {
        try await self.script(
            delivery,
            acceptor: [.accept, .send(size), .receive(size), .expectClosed, .close],
            connector: [.connect, .receive(size), .send(size), .close]
        ).run()
    }

    @Test(arguments: sizes, Delivery.allCases)
    func `the acceptor sends back what comes and closes`(size: Int, delivery: Delivery) async throws {
        try await self.script(
            delivery,
            acceptor: [.accept, .echo(size), .close],
            connector: [.connect, .send(size), .receiveBack(size), .expectClosed, .close]
        ).run()
    }

    @Test(arguments: sizes, Delivery.allCases)
    func `the connector sends back what comes and closes`(size: Int, delivery: Delivery) async throws {
        try await self.script(
            delivery,
            acceptor: [.accept, .send(size), .receiveBack(size), .expectClosed, .close],
            connector: [.connect, .echo(size), .close]
        ).run()
    }

    @Test(arguments: sizes, Delivery.pure)
    func `one end sends and closes at once, and all of it arrives`(size: Int, delivery: Delivery) async throws {
        try await self.script(
            delivery,
            acceptor: [.accept, .receive(size), .expectClosed, .close],
            connector: [.connect, .send(size), .close]
        ).run()
        try await self.script(
            delivery,
            acceptor: [.accept, .send(size), .close],
            connector: [.connect, .receive(size), .expectClosed, .close]
        ).run()
    }

    @Test(arguments: Delivery.allCases)
    func `both ends send before they receive`(delivery: Delivery) async throws {
        try await self.script(
            delivery,
            acceptor: [.accept, .send(50_000), .receive(50_000), .expectClosed, .close],
            connector: [.connect, .send(50_000), .receive(50_000), .close]
        ).run()
    }

    @Test(arguments: Delivery.allCases)
    func `binaries instead of lists`(delivery: Delivery) async throws {
        try await self.script(
            delivery,
            acceptor: [.accept, .receive(50_000), .send(50_000), .close],
            connector: [.connect, .send(50_000), .receive(50_000), .expectClosed, .close],
            options: [.binary]
        ).run()
    }

    @Test(arguments: Delivery.pure)
    func `a client without a certificate, and a server that asks for none`(delivery: Delivery) async throws {
        try await Script(
            acceptor: [.accept, .receive(1_000), .send(1_000), .close],
            connector: [.connect, .send(1_000), .receive(1_000), .expectClosed, .close],
            serverOptions: self.files.server + delivery.server, clientOptions: delivery.client
        ).run()
    }

    // MARK: Many connections

    @Test(arguments: [1, 2, 7, 10, 100], Delivery.pure)
    func `many connections at one listener`(connections: Int, delivery: Delivery) async throws {
        try await self.manyEchoes(connections, delivery)
    }

    /// Each connection has two descriptors here, and the rest of the process has its own.
    @Test(.enabled(if: DescriptorLimit.raise(to: 1_500), "1500 descriptors are not allowed here"), arguments: Delivery.pure)
    func `501 connections at one listener`(delivery: Delivery) async throws {
        try await self.manyEchoes(501, delivery)
    }

    private func manyEchoes(_ connections: Int, _ delivery: Delivery) async throws {
        try await self.script(
            delivery, connections: connections,
            acceptor: [.accept, .echo(10_000), .close],
            connector: [.connect, .send(10_000), .receiveBack(10_000), .expectClosed, .close]
        ).run()
    }

    @Test(arguments: [10, 100], Delivery.pure)
    func `many connections that outlive their listener`(connections: Int, delivery: Delivery) async throws {
        try await self.script(
            delivery, connections: connections,
            listener: [.listen, .awaitAccepted, .close, .awaitOthers],
            acceptor: [.accept, .send(50_000), .receiveBack(50_000), .expectClosed, .close],
            connector: [.connect, .echo(50_000), .close]
        ).run()
    }

    // MARK: Packets

    @Test(arguments: [1, 2, 4], Delivery.allCases)
    func `packets of every size come as they were sent`(header: Int, delivery: Delivery) async throws {
        let sizes = PacketSizes.upTo(header: header)
        try await self.script(
            delivery,
            acceptor: [.accept] + sizes.map(Command.receive) + sizes.map(Command.send) + [.close],
            connector: [.connect] + sizes.map(Command.send) + sizes.map(Command.receive) + [.expectClosed, .close],
            options: [.packet(header)]
        ).run()
    }

    @Test(arguments: [1, 2, 4], Delivery.pure)
    func `a thousand packets that share records stay apart`(header: Int, delivery: Delivery) async throws {
        let sizes = (0..<1_000).map { $0 % 7 * 5 }
        try await self.script(
            delivery,
            acceptor: [.accept] + sizes.map(Command.receive) + [.expectClosed, .close],
            connector: [.connect] + sizes.map(Command.send) + [.close],
            options: [.packet(header), .binary]
        ).run()
    }
}

/// The lengths around every limit of a packet header.
enum PacketSizes {
    static let all = [0, 1, 254, 255, 256, 65_535, 65_536, 2 << 20]

    static func upTo(header: Int) -> [Int] {
        switch header {
        case 1: self.all.filter { $0 <= 255 }
        case 2: self.all.filter { $0 <= 65_535 }
        default: self.all
        }
    }
}
