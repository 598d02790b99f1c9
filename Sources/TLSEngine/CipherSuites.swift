internal import CNIOBoringSSL

/// The cipher suites that BoringSSL supports.
package enum CipherSuites {
    /// Returns the number of a suite; nil if BoringSSL does not support it.
    ///
    /// - Parameter name: A name from IANA's registry, or OpenSSL's name.
    package static func codePoint(named name: String) -> UInt16? { self.codePoints[name] }

    /// Returns OpenSSL's name of a suite, as used in cipher lists; nil if BoringSSL does not support the suite.
    package static func openSSLName(of codePoint: UInt16) -> String? {
        SSL_get_cipher_by_value(codePoint).flatMap { SSL_CIPHER_get_name($0) }.map { String(cString: $0) }
    }

    private static let codePoints: [String: UInt16] = {
        var result: [String: UInt16] = [:]
        for number in UInt16.min ... .max {
            guard let suite = SSL_get_cipher_by_value(number) else { continue }
            for name in [SSL_CIPHER_standard_name(suite), SSL_CIPHER_get_name(suite)] {
                if let name { result[String(cString: name)] = number }
            }
        }
        return result
    }()
}
