internal import CNIOBoringSSL

/// The bound on the work of verifying one peer, beyond BoringSSL's first attempt.
///
/// The peer chooses how many certificates, keys and names there are, and its signatures need not be valid. All of the work is done in one
/// call on an event loop, which nothing can interrupt.
final class VerificationBudget {
    /// The time for verifying signatures, in estimated microseconds. A chain of three P-521 certificates takes seven thousand.
    private static let signatureTime = 10_000
    private static let signatures = 60
    /// The number of names read, plus the number of comparisons of names with constraints: some five milliseconds.
    private static let names = 1 << 17

    private var signatureTimeLeft = VerificationBudget.signatureTime
    private var signaturesLeft = VerificationBudget.signatures
    private var namesLeft = VerificationBudget.names
    private(set) var isExhausted = false

    /// Spends the cost of verifying a signature with this key. Returns false if the budget is exhausted.
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

    /// Returns an estimate in microseconds, measured on a processor of 2024 and rounded up.
    private static func verificationTime(_ key: OpaquePointer) -> Int {
        let bits = Int(EVP_PKEY_bits(key))
        switch EVP_PKEY_id(key) {
        case EVP_PKEY_RSA: return 25 * max(bits * bits / (2048 * 2048), 1)
        case EVP_PKEY_EC: return bits <= 256 ? 60 : bits <= 384 ? 400 : 1200
        default: return 100
        }
    }
}
