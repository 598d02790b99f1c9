import Foundation
import SecureSockets
import TLSEngine

/// A file with keys of 80 bytes, or with a secret.
struct TicketKeyFile {
    static let keyLength = 80

    let path: String

    var exists: Bool { FileManager.default.fileExists(atPath: self.path) }

    /// The keys, as bytes.
    func keys() throws -> [[UInt8]] {
        // With the errors that servers would have.
        let ring = try self.load()
        let bytes = try PrivateFile.read(self.path)
        let length = bytes.count.isMultiple(of: Self.keyLength) ? Self.keyLength : 48
        var keys: [[UInt8]] = []
        for start in stride(from: 0, to: bytes.count, by: length) { keys.append(Array(bytes[start..<(start + length)])) }
        guard length == Self.keyLength, keys.count >= ring.keys.count else {
            throw ToolError.inputUnusable(
                "\(self.path.escapedForDisplay) has keys of 48 bytes, to which no others can be added; make a new file")
        }
        return keys
    }

    func load() throws -> TicketKeys.Ring { try TicketKeyFiles([self.path]).load() }

    func write(_ bytes: [UInt8], replacing: Bool) throws { try PrivateFile.write(bytes, to: self.path, replacing: replacing) }

    static func newKey() throws -> [UInt8] { try self.random(self.keyLength) }

    /// 48 bytes in Base64, and a line break.
    static func newSecret() throws -> [UInt8] {
        Array(Data(try self.random(48)).base64EncodedString().utf8) + [UInt8(ascii: "\n")]
    }

    private static func random(_ count: Int) throws -> [UInt8] {
        guard let bytes = RandomBytes.generate(count) else { throw ToolError.outputUnusable("no random bytes could be made") }
        return bytes
    }
}
