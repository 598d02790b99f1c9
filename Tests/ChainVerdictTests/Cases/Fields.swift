import DevelopmentCertificates
import SecureSockets
import TestSupport

extension ChainGroup {
    static let serialNumbers = ChainGroup(
        "Serial numbers",
        [
            ChainCase("The serial number is zero", .accepted) { try chainOfServer { $0.serialNumber = [0] } },
            ChainCase("The serial number is negative", .accepted) { try chainOfServer { $0.serialNumber = [0xff, 0x7f] } },
            ChainCase("The serial number has 20 bytes", .accepted) {
                try chainOfServer { $0.serialNumber = [0x7f] + Array(repeating: 0xff, count: 19) }
            },
            ChainCase("The serial number has 21 bytes", .accepted) {
                try chainOfServer { $0.serialNumber = [0x00] + Array(repeating: 0xff, count: 20) }
            },
            ChainCase("The serial number has 40 bytes", .accepted) {
                try chainOfServer { $0.serialNumber = [0x7f] + Array(repeating: 0xff, count: 39) }
            },
            ChainCase("Leaf and root have the same serial number", .accepted) {
                let root = try authority("Root") { $0.serialNumber = [1] }
                return try Chain(sent: [server(by: root) { $0.serialNumber = [1] }], trusted: [root])
            },
        ])

    static let dates = ChainGroup(
        "Dates",
        [
            ChainCase("GeneralizedTime for years before 2050", .accepted) {
                try chainOfServer {
                    $0.validity = ValidityPeriod(.generalizedTime("20240101000000Z"), .generalizedTime("20490101000000Z"))
                }
            },
            ChainCase("GeneralizedTime for an expired date", .refused(.expired)) {
                try chainOfServer {
                    $0.validity = ValidityPeriod(.generalizedTime("20200101000000Z"), .generalizedTime("20210101000000Z"))
                }
            },
            ChainCase("Valid until the end of 9999", .accepted) {
                try chainOfServer { $0.validity.notAfter = .generalizedTime("99991231235959Z") }
            },
            ChainCase("UTCTime 500101: the year is 1950", .refused(.expired)) {
                try chainOfServer { $0.validity.notAfter = .utcTime("500101000000Z") }
            },
            ChainCase("notAfter before notBefore, both in the past", .refused(.expired)) {
                try chainOfServer { $0.validity = ValidityPeriod(.utcTime("210101000000Z"), .utcTime("200101000000Z")) }
            },
            ChainCase("notAfter before notBefore, today outside of both", .refused(.notYetValid)) {
                try chainOfServer { $0.validity = ValidityPeriod(.utcTime("490101000000Z"), .utcTime("200101000000Z")) }
            },
            ChainCase("UTCTime without seconds", .protocolError("DECODE_ERROR"), why: .dateFormat) {
                try chainOfServer { $0.validity = ValidityPeriod(.utcTime("2401010000Z"), .utcTime("4901010000Z")) }
            },
            ChainCase("UTCTime with an offset", .refused(.notYetValid)) {
                try chainOfServer {
                    $0.validity = ValidityPeriod(.utcTime("240101000000+0100"), .utcTime("490101000000+0100"))
                }
            },
            ChainCase("GeneralizedTime with fractions of a second", .protocolError("DECODE_ERROR")) {
                try chainOfServer {
                    $0.validity = ValidityPeriod(.generalizedTime("20240101000000.5Z"), .generalizedTime("20490101000000.5Z"))
                }
            },
            ChainCase("A day that does not exist", .protocolError("DECODE_ERROR")) {
                try chainOfServer { $0.validity.notAfter = .utcTime("490230000000Z") }
            },
        ])

    static let signatures = ChainGroup(
        "Signatures",
        [
            ChainCase("The leaf is signed with another key than its issuer's", .refused(.badSignature)) {
                try chainOfServer { $0.signingKey = try .p256() }
            },
            ChainCase("The intermediate is signed with another key than its issuer's", .refused(.badSignature)) {
                try chainWithIntermediate { $0.signingKey = try .p256() }
            },
            ChainCase("A client's leaf is signed with another key than its issuer's", from: .client, .refused(.badSignature)) {
                let root = try authority("Root")
                return try Chain(sent: [client(by: root) { $0.signingKey = try .p256() }], trusted: [root])
            },
            ChainCase("The trusted root's own signature is wrong", .accepted) {
                try chainWithRoot { $0.signingKey = try .p256() }
            },
            ChainCase("The signed part names another algorithm than the signature", .refused(.badSignature)) {
                try chainOfServer { $0.statedAlgorithm = .sequence(.objectIdentifier("1.2.840.10045.4.3.3")) }
            },
            ChainCase("The signature algorithm is unknown", .refused(.unsupportedAlgorithm)) {
                try chainOfServer { $0.writtenAlgorithm = .sequence(.objectIdentifier("1.3.6.1.4.1.55738.666.2")) }
            },
        ])
}
