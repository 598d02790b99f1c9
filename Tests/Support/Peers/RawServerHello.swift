/// A ServerHello, or a HelloRetryRequest, with any content (RFC 8446 §4.1.3), and other messages of a server's first flight, for what no
/// server of ours chooses.
package struct RawServerHello {
    /// The version that is named where `selectedVersion` is nil.
    package var version: UInt16 = 0x0303
    package var cipherSuite: UInt16
    /// The content of `supported_versions`; nil: the extension is absent. So are the others.
    package var selectedVersion: UInt16?
    /// The group of the key share.
    package var group: UInt16?
    package var isRetryRequest = false
    package var applicationProtocol: String?

    package init(cipherSuite: UInt16) { self.cipherSuite = cipherSuite }

    /// The message that answers the ClientHello in this record: it repeats the session ID.
    package func message(answering hello: [UInt8]) -> [UInt8] {
        // The header of the record, the header of the message, the version, and 32 bytes at random precede the session ID.
        let start = 5 + 4 + 2 + 32
        let sessionID = hello[start...start + Int(hello[start])]
        let random = self.isRetryRequest ? Self.randomOfRetryRequest : [UInt8](repeating: 7, count: 32)
        return Self.message(
            2, Self.bytes(self.version) + random + sessionID + Self.bytes(self.cipherSuite) + [0] + self.extensions)
    }

    package func record(answering hello: [UInt8]) -> [UInt8] { Self.record(self.message(answering: hello)) }

    /// The record that carries these messages.
    package static func record(_ messages: [UInt8]) -> [UInt8] { [22, 3, 3] + self.vector16(messages) }

    /// A Certificate message of TLS 1.2.
    package static func certificate(_ chain: [[UInt8]]) -> [UInt8] {
        self.message(11, self.vector24(chain.flatMap(self.vector24)))
    }

    /// A ServerKeyExchange message of TLS 1.2 with a meaningless key and signature (RFC 8422 §5.4).
    package static func keyExchange(group: UInt16, signatureAlgorithm: UInt16) -> [UInt8] {
        self.message(
            12,
            [3] + self.bytes(group) + [65, 4] + [UInt8](repeating: 7, count: 64) + self.bytes(signatureAlgorithm)
                + self.vector16([7]))
    }

    /// The SHA-256 digest of "HelloRetryRequest".
    private static let randomOfRetryRequest: [UInt8] = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16,
        0x7a,
        0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ]

    private var extensions: [UInt8] {
        var extensions: [UInt8] = []
        func add(_ type: UInt16, _ content: [UInt8]) { extensions += Self.bytes(type) + Self.vector16(content) }
        if let selectedVersion { add(43, Self.bytes(selectedVersion)) }
        if let group { add(51, Self.bytes(group) + (self.isRetryRequest ? [] : Self.vector16([UInt8](repeating: 7, count: 32)))) }
        if let applicationProtocol {
            add(16, Self.vector16([UInt8(applicationProtocol.utf8.count)] + applicationProtocol.utf8))
        }
        return extensions.isEmpty ? [] : Self.vector16(extensions)
    }

    private static func message(_ type: UInt8, _ body: [UInt8]) -> [UInt8] { [type] + self.vector24(body) }

    private static func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

    private static func vector16(_ bytes: [UInt8]) -> [UInt8] { self.bytes(UInt16(bytes.count)) + bytes }

    private static func vector24(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8(bytes.count >> 16)] + self.bytes(UInt16(bytes.count & 0xffff)) + bytes
    }
}
