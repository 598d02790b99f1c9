internal import CNIOBoringSSL

/// Bytes from the random generator, and their end.
package enum RandomBytes {
    /// nil if the generator fails.
    package static func generate(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return RAND_bytes(&bytes, count) == 1 ? bytes : nil
    }

    /// Overwrites bytes. Copies of them remain.
    package static func erase(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
    }
}
