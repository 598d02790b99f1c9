import ClassicSSL
import NIOCore
import Testing

@Suite("§4.1 to §4.3 Framing", .countsRules, .timeLimit(.minutes(5)))
struct FramingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let packet: Int
        let isActive: Bool
        /// From the accepted end to the connected one, or the other way.
        let isFromServer: Bool

        var testDescription: String {
            "packet \(self.packet), \(self.isActive ? "active" : "passive"), from the \(self.isFromServer ? "server" : "client")"
        }

        static let all = [0, 1, 2, 4].flatMap { packet in
            [true, false].flatMap { isActive in
                [true, false].map { Case(packet: packet, isActive: isActive, isFromServer: $0) }
            }
        }

        /// The sizes that the header can say.
        var sizes: [Int] {
            let largest = self.packet == 1 ? 255 : self.packet == 2 ? 65_535 : .max
            return [0, 1, 254, 255, 256, 65_535, 65_536, 2 << 20].filter { $0 <= largest }
        }
    }

    @Test(arguments: Case.all)
    func `4_1: every size, both modes, both directions`(_ test: Case) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.packet(test.packet), .active(test.isActive)])
            let (sender, receiver) = pair.ends(acceptedFirst: test.isFromServer)
            async let sending: Void = Self.send(test.sizes, to: sender)
            for size in test.sizes where test.packet > 0 || size > 0 {
                let bytes = try await Self.unit(size, from: receiver, test)
                #expect(bytes == pattern(size), "\(size)")
            }
            try await sending
            SSL.close(sender)
            if test.isActive {
                #expect(try await Note.next(of: receiver) == .closed)
            } else {
                await #expect(throws: SSL.Reason.closed) { try await SSL.recv(receiver, 0, patience) }
            }
        }
    }

    @Test(arguments: [1, 2, 4], [true, false])
    func `4_1: a header split over records`(_ packet: Int, _ isActive: Bool) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: [.packet(packet), .active(isActive)], connect: [.active(false)])
            let message = Self.header(packet, 5) + Array("hello".utf8) + Self.header(packet, 0) + Self.header(packet, 1) + [33]
            for byte in message {
                try await SSL.send(pair.connected, .bytes([byte]))
                // Its own record, and as a rule its own turn of the network.
                await Task.yield()
            }
            for expected in [Array("hello".utf8), [], [33]] {
                #expect(try await Self.packet(from: pair.accepted, isActive) == expected)
            }
        }
    }

    @Test(arguments: [1, 2, 4], [true, false])
    func `4_1: many packets in a record`(_ packet: Int, _ isActive: Bool) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: [.packet(packet), .active(isActive)], connect: [.active(false)])
            let packets = (0..<200).map { [UInt8](repeating: UInt8($0), count: $0 % 50) }
            try await SSL.send(pair.connected, .bytes(packets.flatMap { Self.header(packet, $0.count) + $0 }))
            for expected in packets { #expect(try await Self.packet(from: pair.accepted, isActive) == expected) }
        }
    }

    @Test(arguments: [1, 2, 4])
    func `4_1: 0 against N is legal and shows the header`(_ packet: Int) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: [.packet(packet)], connect: [.active(false)])
            try await SSL.send(pair.accepted, "abc")
            let expected = Self.header(packet, 3) + Array("abc".utf8)
            #expect(try await receive(expected.count, from: pair.connected) == expected)
        }
    }

    @Test(arguments: [1, 2, 4], [true, false])
    func `4_1: an empty packet is delivered, as an empty binary too`(_ packet: Int, _ isActive: Bool) async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.packet(packet), .active(isActive), .binary])
            try await SSL.send(pair.accepted, "")
            if isActive {
                #expect(try await Note.next(of: pair.connected) == .binary([]))
            } else {
                #expect(try await SSL.recv(pair.connected, 0, patience) == .binary(ByteBuffer()))
            }
        }
    }

    @Test func `4_3: an announced length over the ceiling, passive`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(listen: [.packet(4), .active(false)], connect: [.active(false)])
            try await SSL.send(pair.connected, .bytes([0, 0, 0, 2, 65, 66, 0x7f, 0xff, 0xff, 0xff, 67]))
            #expect(try await SSL.recv(pair.accepted, 0, patience).text == "AB")
            await #expect(throws: SSL.Reason.emsgsize) { try await SSL.recv(pair.accepted, 0, patience) }
            for _ in 0..<3 { await #expect(throws: SSL.Reason.closed) { try await SSL.recv(pair.accepted, 0, patience) } }
            await #expect(throws: SSL.Reason.closed) { try await SSL.send(pair.accepted, "") }
        }
    }

    @Test func `4_3: an announced length over the ceiling, active`() async throws {
        try await SSL.withProcess { process in
            let pair = try await Pair(listen: [.packet(4)], connect: [.active(false)])
            try await SSL.send(pair.connected, .bytes([0, 0, 0, 2, 65, 66, 0xff, 0xff, 0xff, 0xff, 67]))
            for expected in [Note.text("AB"), .error(.emsgsize), .closed] {
                #expect(try await Note.next(of: pair.accepted) == expected)
            }
            SSL.close(pair.connected)
            SSL.close(pair.accepted)
            try await pair.accepted.waitUntilGone()
            #expect(process.messageCount == 0)
        }
    }

    @Test func `4_5: a packet larger than is read ahead is gathered whole`() async throws {
        try await SSL.withProcess { _ in
            let pair = try await Pair(both: [.packet(4), .active(false)])
            let accepted = pair.accepted
            let data = pattern(10 << 20)
            async let sending: Void = SSL.send(accepted, .bytes(data))
            #expect(try await SSL.recv(pair.connected, 0, patience).array == data)
            try await sending
        }
    }

    private static func send(_ sizes: [Int], to socket: SSL.Socket) async throws {
        for size in sizes { try await SSL.send(socket, .bytes(pattern(size))) }
    }

    /// One packet, or so many bytes of a plain stream.
    private static func unit(_ size: Int, from socket: SSL.Socket, _ test: Case) async throws -> [UInt8] {
        if test.packet > 0 { return try await Self.packet(from: socket, test.isActive) }
        if !test.isActive { return try await SSL.recv(socket, size, patience).array }
        let bytes = try await Self.leftOver.take(size, from: socket)
        return bytes
    }

    /// What came by message of a plain stream, beyond what was asked for.
    private actor LeftOver {
        private var bytes: [SSL.Socket: [UInt8]] = [:]

        func take(_ count: Int, from socket: SSL.Socket) async throws -> [UInt8] {
            var all = self.bytes[socket] ?? []
            while all.count < count {
                guard case .bytes(let more) = try await Note.next(of: socket), !more.isEmpty else { return all }
                all += more
            }
            self.bytes[socket] = Array(all[count...])
            return Array(all[..<count])
        }
    }

    private static let leftOver = LeftOver()

    private static func packet(from socket: SSL.Socket, _ isActive: Bool) async throws -> [UInt8] {
        guard isActive else { return try await SSL.recv(socket, 0, patience).array }
        let note = try await Note.next(of: socket)
        guard case .bytes(let bytes) = note else { throw Surprise(note: note) }
        return bytes
    }

    private struct Surprise: Error {
        let note: Note
    }

    static func header(_ packet: Int, _ length: Int) -> [UInt8] {
        (0..<packet).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
    }
}
