/// The unencrypted part of a private key in OpenSSH format.
package struct OpenSSHKey: Sendable, Hashable {
    /// The algorithm, for example `ssh-ed25519`; nil if it cannot be read.
    package let algorithm: String?
    package let isEncrypted: Bool

    /// Reads the content of an `OPENSSH PRIVATE KEY` block (OpenSSH's `PROTOCOL.key`): a magic string, then cipher name, key derivation
    /// name and options, the number of keys, and the public key, which begins with its algorithm. Strings are preceded by their length.
    init(_ content: [UInt8]) {
        var rest = content.dropFirst("openssh-key-v1\0".utf8.count)
        func number(_ bytes: inout ArraySlice<UInt8>) -> Int? {
            guard bytes.count >= 4 else { return nil }
            defer { bytes = bytes.dropFirst(4) }
            return bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        }
        func text(_ bytes: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
            guard let length = number(&bytes), bytes.count >= length else { return nil }
            defer { bytes = bytes.dropFirst(length) }
            return bytes.prefix(length)
        }
        let cipher = text(&rest)
        _ = (text(&rest), text(&rest), number(&rest))
        var key = text(&rest) ?? []
        self.algorithm = text(&key).map { String(decoding: $0, as: UTF8.self) }
        self.isEncrypted = cipher.map { !$0.elementsEqual("none".utf8) } ?? false
    }
}
