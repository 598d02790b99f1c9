/// A ClientHello with any content (RFC 8446 §4.1.2), for what no client of ours offers.
package struct RawClientHello {
    /// The version that is named where `supported_versions` is absent.
    package var version: UInt16 = 0x0303
    package var cipherSuites: [UInt16] = []
    /// Empty: the extension is absent. So are the others.
    package var supportedVersions: [UInt16] = []
    package var groups: [UInt16] = []
    package var signatureAlgorithms: [UInt16] = []
    package var serverName: String?
    /// The bytes of each name.
    package var applicationProtocols: [[UInt8]] = []
    /// Further extensions, which have no content.
    package var emptyExtensions: [UInt16] = []

    package init() {}

    /// The record that carries it.
    package var record: [UInt8] {
        let suites = Self.vector16(self.cipherSuites.flatMap(Self.bytes))
        let body = Self.bytes(self.version) + [UInt8](repeating: 7, count: 32) + [0] + suites + [1, 0] + self.extensions
        let message = [1, 0] + Self.vector16(body)
        return [22, 3, 1] + Self.vector16(message)
    }

    private var extensions: [UInt8] {
        func list(_ type: UInt16, _ values: [UInt16], _ vector: ([UInt8]) -> [UInt8]) -> [UInt8] {
            values.isEmpty ? [] : Self.bytes(type) + Self.vector16(vector(values.flatMap(Self.bytes)))
        }
        let names =
            self.serverName.map { Self.bytes(0) + Self.vector16(Self.vector16([0] + Self.vector16(Array($0.utf8)))) } ?? []
        let protocols = self.applicationProtocols.flatMap { [UInt8($0.count)] + $0 }
        return Self.vector16(
            list(43, self.supportedVersions) { [UInt8($0.count)] + $0 } + list(10, self.groups, Self.vector16)
                + list(13, self.signatureAlgorithms, Self.vector16) + names
                + (protocols.isEmpty ? [] : Self.bytes(16) + Self.vector16(Self.vector16(protocols)))
                + self.emptyExtensions.flatMap { Self.bytes($0) + [0, 0] })
    }

    private static func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

    private static func vector16(_ bytes: [UInt8]) -> [UInt8] { self.bytes(UInt16(bytes.count)) + bytes }
}
