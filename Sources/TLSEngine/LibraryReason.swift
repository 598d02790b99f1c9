internal import CNIOBoringSSL

/// BoringSSL's reason for a failure: its numeric code and its name.
package struct LibraryReason: Sendable, Hashable, CustomStringConvertible {
    /// The part of BoringSSL that reports the reason, `ERR_LIB_*`.
    package let library: Int32
    /// The reason within that part, for example `SSL_R_WRONG_VERSION_NUMBER`.
    package let code: Int32
    /// BoringSSL's name for the reason, for example `WRONG_VERSION_NUMBER`.
    package let name: String

    package init(library: Int32, code: Int32, name: String) {
        self.library = library
        self.code = code
        self.name = name
    }

    package var description: String { self.name }

    /// BoringSSL's reason for a server that has no application protocol in common with its client.
    static let noApplicationProtocol = LibraryReason(
        library: Int32(ERR_LIB_SSL), code: SSL_R_NO_APPLICATION_PROTOCOL, name: "NO_APPLICATION_PROTOCOL")

    /// Whether this is a reason of BoringSSL's TLS part, `SSL_R_*`.
    func isOfTLS(_ code: Int32) -> Bool { self.library == Int32(ERR_LIB_SSL) && self.code == code }

    /// Whether the peer has sent something other than a TLS record.
    var isOfPlaintext: Bool {
        [SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST].contains { self.isOfTLS($0) }
    }
}

/// BoringSSL's error queue of the current thread.
enum ErrorQueue {
    /// Empties the queue. The oldest entry, which is the cause of the later ones, comes first.
    static func drain() -> [LibraryReason] {
        var reasons: [LibraryReason] = []
        while true {
            let packed = ERR_get_error()
            guard packed != 0 else { return reasons }
            let name = ERR_reason_error_string(packed).map { String(cString: $0) } ?? "reason \(ERR_GET_REASON(packed))"
            reasons.append(
                LibraryReason(library: ERR_GET_LIB(packed), code: ERR_GET_REASON(packed), name: name)
            )
        }
    }

    static func clear() {
        ERR_clear_error()
    }
}
