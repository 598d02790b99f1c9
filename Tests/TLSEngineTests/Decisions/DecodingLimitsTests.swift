import DevelopmentCertificates
import TLSEngine
import TestSupport
import Testing

@Suite struct `What is decoded of a peer's message` {
    /// A ClientHello without its header whose only extension offers application protocols.
    private func hello(protocols names: [[UInt8]]) -> ClientHelloMessage {
        func vector16(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)] + bytes }
        let list = vector16(names.flatMap { [UInt8($0.count)] + $0 })
        let start: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32) + [0] + vector16([0x13, 0x01]) + [1, 0]
        return ClientHelloMessage(start + vector16([0, 16] + vector16(list)))
    }

    @Test func `has a bounded number of application protocols`() {
        let h2 = Array("h2".utf8)
        #expect(self.hello(protocols: [h2, Array("http/1.1".utf8)]).offer.applicationProtocols == ["h2", "http/1.1"])
        #expect(self.hello(protocols: [[UInt8]](repeating: [0x61], count: 20_000)).offer.applicationProtocols.count == 64)
    }

    @Test func `has no application protocols from an empty one on`() {
        #expect(self.hello(protocols: [Array("h2".utf8), [], Array("h3".utf8)]).offer.applicationProtocols == ["h2"])
        #expect(self.hello(protocols: [[UInt8]](repeating: [], count: 60_000)).offer.applicationProtocols.isEmpty)
    }

    /// A rule such as "exactly one URI" must not see a part of the names.
    @Test func `has all alternative names of a certificate, or none if they are too many`() throws {
        for (count, decoded) in [(4096, 4096), (4097, 0)] {
            let certificate = try client(by: nil) {
                $0.set(.alternativeNames([.uri("urn:a")] + [GeneralNameValue](repeating: .dns(""), count: count - 1)))
            }
            #expect(try DecodedCertificate(decoding: certificate.der).alternativeNames.count == decoded)
        }
    }
}
