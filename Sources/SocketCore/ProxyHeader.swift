import NIOCore

/// The header of the PROXY protocol, versions 1 and 2 (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt), with which a load
/// balancer tells the addresses of the connection that it relays. Parsed strictly: a header that is not exactly as specified is refused.
package struct ProxyHeader: Sendable, Hashable {
    package struct Endpoint: Sendable, Hashable {
        package let address: String
        package let port: Int
    }

    /// The client's address, and the one that it connected to; nil if the header tells none (`UNKNOWN`, `LOCAL`, an unspecified family, or
    /// Unix sockets).
    package let source: Endpoint?
    package let destination: Endpoint?
    /// Whether the load balancer connects for itself, for example for a health check (`LOCAL` of version 2).
    package let isLocal: Bool

    package enum Problem: Error, Hashable {
        case notAHeader
        case malformed(String)
        case tooLong(Int)
    }

    /// The bytes with which a header of version 2 begins.
    package static let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
    /// The length of the fixed part of version 2: signature, version and command, family, and length of the rest.
    package static let fixedLength = 16
    /// The length of the longest header of version 1, with its CRLF (§2.1).
    package static let longestLine = 107
    /// The most bytes that may follow the fixed part of version 2: addresses and extensions. The specification allows 65,535; headers in use
    /// have less than 600.
    package static let longestRest = 4096

    // MARK: Version 1

    /// Parses a line of version 1, without its CRLF.
    package init(line: [UInt8]) throws(Problem) {
        guard line.starts(with: Array("PROXY ".utf8)) else { throw .notAHeader }
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        switch words[1] {
        case "UNKNOWN":
            // What follows has to be ignored (§2.1).
            self.init(source: nil, destination: nil, isLocal: false)
        case "TCP4", "TCP6":
            guard words.count == 6 else { throw .malformed("a line of \(words.count) words instead of 6") }
            let length = words[1] == "TCP4" ? 4 : 16
            self.init(
                source: Endpoint(address: try Self.address(words[2], length), port: try Self.port(words[4])),
                destination: Endpoint(address: try Self.address(words[3], length), port: try Self.port(words[5])),
                isLocal: false)
        default: throw .malformed("an unknown protocol")
        }
    }

    /// The text of an address in the form of the specification: no zone, no brackets.
    private static func address(_ text: String, _ length: Int) throws(Problem) -> String {
        guard !text.contains("%"), !text.utf8.contains(0), let address = try? SocketAddress(ipAddress: text, port: 0),
            address.protocol == (length == 4 ? .inet : .inet6)
        else { throw .malformed("an address that is none of its protocol") }
        return text
    }

    private static func port(_ text: String) throws(Problem) -> Int {
        let digits = text.utf8
        guard (1...5).contains(digits.count), digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            digits.count == 1 || digits.first != UInt8(ascii: "0"), let port = Int(text), port <= 65_535
        else { throw .malformed("a port that is none") }
        return port
    }

    // MARK: Version 2

    /// Returns the number of bytes that follow the fixed part of version 2.
    package static func restLength(of fixed: [UInt8]) throws(Problem) -> Int {
        guard fixed.count == Self.fixedLength, fixed.starts(with: Self.signature) else { throw .notAHeader }
        guard fixed[12] >> 4 == 2 else { throw .malformed("version \(fixed[12] >> 4)") }
        guard fixed[12] & 0xf <= 1 else { throw .malformed("an unknown command") }
        let length = Int(fixed[14]) << 8 | Int(fixed[15])
        guard length <= Self.longestRest else { throw .tooLong(length) }
        return length
    }

    /// Parses a header of version 2: the fixed part and what follows it.
    package init(fixed: [UInt8], rest: [UInt8]) throws(Problem) {
        guard try Self.restLength(of: fixed) == rest.count else { throw .malformed("a wrong length") }
        // The family and the addresses of a health check are to be ignored (§2.2).
        if fixed[12] & 0xf == 0 {
            self.init(source: nil, destination: nil, isLocal: true)
            return
        }
        let addressLength: Int
        switch fixed[13] {
        case 0x00:
            addressLength = 0
        case 0x11, 0x12: addressLength = 4
        case 0x21, 0x22: addressLength = 16
        case 0x31, 0x32: addressLength = 108
        default: throw .malformed("an unknown family or transport")
        }
        guard addressLength > 0 else {
            self.init(source: nil, destination: nil, isLocal: false)
            return
        }
        let isUnix = addressLength == 108
        guard rest.count >= 2 * addressLength + (isUnix ? 0 : 4) else { throw .malformed("less than its addresses") }
        if isUnix {
            self.init(source: nil, destination: nil, isLocal: false)
            return
        }
        guard fixed[13] & 0xf == 1 else { throw .malformed("a transport other than TCP") }
        func endpoint(_ index: Int) throws(Problem) -> Endpoint {
            let bytes = ByteBuffer(bytes: rest[index * addressLength..<(index + 1) * addressLength])
            let port = 2 * addressLength + 2 * index
            guard let address = try? SocketAddress(packedIPAddress: bytes, port: Int(rest[port]) << 8 | Int(rest[port + 1])),
                let text = address.ipAddress, let number = address.port
            else { throw .malformed("an address that is none") }
            return Endpoint(address: text, port: number)
        }
        self.init(source: try endpoint(0), destination: try endpoint(1), isLocal: false)
    }

    private init(source: Endpoint?, destination: Endpoint?, isLocal: Bool) {
        self.source = source
        self.destination = destination
        self.isLocal = isLocal
    }
}
