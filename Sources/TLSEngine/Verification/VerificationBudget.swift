internal import CNIOBoringSSL

/// The work that the verification of one peer may cost, beyond the library's first attempt.
///
/// The peer chooses how many certificates, keys and names there are, and its signatures need not be good; all of it is work of one call on
/// an event loop, which nothing can interrupt.
final class VerificationBudget {
    /// Estimated microseconds of signatures. A chain of three P-521 certificates takes seven thousand.
    private static let signatureTime = 10_000
    private static let signatures = 60
    /// Names read, and names compared with constraints: some five milliseconds.
    private static let names = 1 << 17

    private var signatureTimeLeft = VerificationBudget.signatureTime
    private var signaturesLeft = VerificationBudget.signatures
    private var namesLeft = VerificationBudget.names
    private(set) var isExhausted = false

    /// False if there is nothing left for a signature with this key.
    func spendSignature(with key: OpaquePointer) -> Bool {
        self.signaturesLeft -= 1
        self.signatureTimeLeft -= Self.verificationTime(key)
        if self.signaturesLeft < 0 || self.signatureTimeLeft < 0 { self.isExhausted = true }
        return !self.isExhausted
    }

    func spendNames(_ count: Int) -> Bool {
        self.namesLeft -= count
        if self.namesLeft < 0 { self.isExhausted = true }
        return !self.isExhausted
    }

    /// Measured on a processor of 2024, rounded up.
    private static func verificationTime(_ key: OpaquePointer) -> Int {
        let bits = Int(EVP_PKEY_bits(key))
        switch EVP_PKEY_id(key) {
        case EVP_PKEY_RSA: return 25 * max(bits * bits / (2048 * 2048), 1)
        case EVP_PKEY_EC: return bits <= 256 ? 60 : bits <= 384 ? 400 : 1200
        default: return 100
        }
    }
}
