import Foundation
import TestSupport
import Testing

@testable import TLSEngine

@Suite struct `The format of a file` {
    @Test func `is recognized as PKCS12 with indefinite lengths too, as Java and NSS write it`() {
        let version: [UInt8] = [0x02, 0x01, 0x03]
        let type: [UInt8] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01]
        let file = [0x30, 0x80] + version + [0x30, 0x80] + type + [0xa0, 0x80, 0x24, 0x80, 0x04, 0x02, 0x01, 0x02, 0, 0, 0, 0]
        #expect(FileForm.recognized(in: file) == .pkcs12(hasLegacyCiphers: false))
        // Somewhere in it, encryption with RC2 of 40 bits.
        let old: [UInt8] = [0x06, 0x0a, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x06]
        #expect(FileForm.recognized(in: file + old) == .pkcs12(hasLegacyCiphers: true))
    }

    /// Random bytes, also after the beginning of a known format, never trap.
    @Test(arguments: 0..<200) func `can be asked of any bytes`(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let beginnings: [[UInt8]] = [
            [], [0x30, 0x82], [0x30, 0x80], [0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], [0x30, 0x88], [0x30, 0x82, 0x01, 0x00, 0x02],
            [0x30, 0x10, 0x30, 0x80, 0x06, 0x84], [0xff, 0xfe], Array("-----BEGIN ".utf8), Array("\"-----BEGIN X-----".utf8),
        ]
        let length = Int.random(in: 0..<40, using: &random)
        let bytes =
            (beginnings.randomElement(using: &random) ?? [])
            + (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        _ = FileForm.recognized(in: bytes)
        _ = try? PEMText(bytes)
        _ = BlockFault(of: bytes) { _ in false }
        _ = UnsupportedKey(privateKey: bytes, .pkcs8)
        _ = UnsupportedKey(privateKey: bytes, .sec1)
        _ = OpenSSHKey(bytes)
        _ = OID(content: bytes).description
    }

    @Test(
        arguments: [
            ([0x2b, 0x81, 0x04, 0x00, 0x0a], "secp256k1 (OID 1.3.132.0.10)"),
            ([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], "EC (OID 1.2.840.10045.2.1)"),
            ([0x88, 0x37], "OID 2.999"),
            ([0x00], "OID 0.0"),
            ([], "OID "),
            ([0x2b] + [UInt8](repeating: 0xff, count: 20), "OID with a number over 64 bits"),
            ([UInt8](repeating: 0x01, count: 65), "OID of 65 bytes"),
        ] as [([UInt8], String)])
    func `names algorithms and curves by name and OID`(_ row: (content: [UInt8], text: String)) {
        #expect(OID(content: row.content).description == row.text)
    }

    @Test(arguments: [0, 100_000_001, 2_147_483_647])
    func `of an encrypted key with an iteration count that is out of range is not a wrong password`(_ iterations: Int) throws {
        typealias Tag = DERReader.Tag
        func element(_ tag: UInt8, _ parts: [UInt8]...) -> [UInt8] { DERReader.encoding(tag, parts.flatMap { $0 }) }
        let number = withUnsafeBytes(of: Int32(iterations).bigEndian) { Array($0) }
        let pbkdf2 = element(Tag.objectIdentifier, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c])
        let pbes2 = element(Tag.objectIdentifier, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d])
        let aes = element(Tag.objectIdentifier, [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a])
        let salt = element(Tag.octetString, [1, 2, 3, 4, 5, 6, 7, 8])
        let minimal = Array(number.drop { $0 == 0 })
        let derivation = element(
            Tag.sequence, pbkdf2, element(Tag.sequence, salt, element(Tag.integer, minimal.isEmpty ? [0] : minimal)))
        let cipher = element(Tag.sequence, aes, element(Tag.octetString, [UInt8](repeating: 0, count: 16)))
        let key = element(
            Tag.sequence, element(Tag.sequence, pbes2, element(Tag.sequence, derivation, cipher)),
            element(Tag.octetString, [UInt8](repeating: 0, count: 64)))
        let pem =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\(Data(key).base64EncodedString())\n-----END ENCRYPTED PRIVATE KEY-----\n"
        let error = try #require(throws: CredentialError.self) {
            try PrivateKeyFile(.bytes(Array(pem.utf8)), password: "secret")
        }
        #expect(error.problem == .unsupportedEncryption(.iterations(iterations)))
    }
}
