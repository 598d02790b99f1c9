import SocketCore
import Testing

/// Headers of the PROXY protocol.
@Suite struct `A header of the PROXY protocol` {
    // MARK: Version 1

    @Test(arguments: [
        ("PROXY TCP4 192.0.2.1 198.51.100.7 51234 443", "192.0.2.1", 51_234, "198.51.100.7", 443),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 0 65535", "2001:db8::1", 0, "2001:db8::2", 65_535),
    ])
    func `of version 1 tells both endpoints`(line: String, source: String, port: Int, destination: String, otherPort: Int) throws
    {
        let header = try ProxyHeader(line: Array(line.utf8))
        #expect(header.source?.address == source && header.source?.port == port)
        #expect(header.destination?.address == destination && header.destination?.port == otherPort)
        #expect(!header.isLocal)
    }

    @Test(arguments: ["PROXY UNKNOWN", "PROXY UNKNOWN ffff::1 whatever follows"])
    func `of version 1 may tell nothing`(_ line: String) throws {
        let header = try ProxyHeader(line: Array(line.utf8))
        #expect(header.source == nil && header.destination == nil && !header.isLocal)
    }

    @Test(arguments: [
        "PROXY", "PROXY ", "proxy TCP4 192.0.2.1 192.0.2.2 1 2", "GET / HTTP/1.1", "PROXY TCP4 192.0.2.1 192.0.2.2 1",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3", "PROXY TCP4  192.0.2.1 192.0.2.2 1 2", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2", "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2", "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 ", "PROXY TCP4 192.0.2.256 192.0.2.2 1 2", "PROXY TCP4 192.0.2 192.0.2.2 1 2",
        "PROXY TCP4 ::1 ::1 1 2", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2", "PROXY TCP6 fe80::1%eth0 ::1 1 2",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2",
        "PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r",
    ])
    func `of version 1 is refused if it is not exactly as specified`(_ line: String) {
        #expect(throws: ProxyHeader.Problem.self) { try ProxyHeader(line: Array(line.utf8)) }
    }

    // MARK: Version 2

    private func header(
        _ versionAndCommand: UInt8, _ family: UInt8, length: Int? = nil, _ rest: [UInt8]
    ) throws(ProxyHeader.Problem) -> ProxyHeader {
        let length = length ?? rest.count
        let fixed = ProxyHeader.signature + [versionAndCommand, family, UInt8(length >> 8 & 0xff), UInt8(length & 0xff)]
        return try ProxyHeader(fixed: fixed, rest: rest)
    }

    private let inet: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 7, 0xc8, 0x22, 0x01, 0xbb]

    @Test func `of version 2 tells both endpoints, and may have extensions`() throws {
        for rest in [self.inet, self.inet + [0x04, 0x00, 0x01, 0xff]] {
            let header = try self.header(0x21, 0x11, rest)
            #expect(header.source?.address == "192.0.2.1" && header.source?.port == 51_234)
            #expect(header.destination?.address == "198.51.100.7" && header.destination?.port == 443)
        }
        let inet6: [UInt8] = [0x20, 0x01, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [1]
        let header = try self.header(0x21, 0x21, inet6 + inet6 + [0, 1, 0, 2])
        #expect(header.source?.address == "2001:db8::1" && header.source?.port == 1 && header.destination?.port == 2)
    }

    @Test func `of version 2 may tell nothing`() throws {
        #expect(try self.header(0x20, 0x11, self.inet).isLocal)
        #expect(try self.header(0x20, 0x11, self.inet).source == nil)
        #expect(try self.header(0x20, 0x00, []).isLocal)
        #expect(try self.header(0x20, 0x41, [1, 2, 3]).isLocal)
        #expect(try self.header(0x21, 0x00, [1, 2, 3]).source == nil)
        #expect(try self.header(0x21, 0x31, Array(repeating: 0, count: 216)).source == nil)
    }

    @Test func `of version 2 is refused if it is not exactly as specified`() {
        #expect(throws: ProxyHeader.Problem.malformed("version 1")) { try self.header(0x11, 0x11, self.inet) }
        #expect(throws: ProxyHeader.Problem.self) { try self.header(0x22, 0x11, self.inet) }
        #expect(throws: ProxyHeader.Problem.self) { try self.header(0x21, 0x41, self.inet) }
        #expect(throws: ProxyHeader.Problem.self) { try self.header(0x21, 0x13, self.inet) }
        #expect(throws: ProxyHeader.Problem.self) { try self.header(0x21, 0x12, self.inet) }
        #expect(throws: ProxyHeader.Problem.self) { try self.header(0x21, 0x11, length: 13, self.inet) }
        #expect(throws: ProxyHeader.Problem.tooLong(4097)) { try self.header(0x21, 0x11, length: 4097, self.inet) }
        for count in 0..<self.inet.count {
            #expect(throws: ProxyHeader.Problem.self) { try self.header(0x21, 0x11, Array(self.inet.prefix(count))) }
        }
        #expect(throws: ProxyHeader.Problem.notAHeader) {
            try ProxyHeader(fixed: Array(repeating: 0, count: 16), rest: [])
        }
    }
}
