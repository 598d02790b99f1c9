import DevelopmentCertificates
import Testing

@Suite struct DERValueTests {
    static let lengths: [(Int, [UInt8])] = [
        (0, [0x00]), (127, [0x7f]), (128, [0x81, 0x80]), (255, [0x81, 0xff]), (256, [0x82, 0x01, 0x00]),
        (65_535, [0x82, 0xff, 0xff]), (65_536, [0x83, 0x01, 0x00, 0x00]),
    ]

    @Test(arguments: lengths)
    func `a length has as few bytes as possible`(count: Int, length: [UInt8]) {
        let contents = [UInt8](repeating: 7, count: count)
        #expect(DERValue.octetString(contents).bytes == [0x04] + length + contents)
    }

    static let integers: [(Int, [UInt8])] = [
        (0, [0x00]), (127, [0x7f]), (128, [0x00, 0x80]), (255, [0x00, 0xff]), (256, [0x01, 0x00]), (-1, [0xff]), (-128, [0x80]),
        (-129, [0xff, 0x7f]), (.max, [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ]

    @Test(arguments: integers)
    func `an integer has as few bytes as keep its sign`(number: Int, contents: [UInt8]) {
        #expect(DERValue.integer(number).bytes == [0x02, UInt8(contents.count)] + contents)
    }
}
