internal import CNIOBoringSSL

/// A secret from which several processes derive the same keys: for a server's tickets, for keys in a store, and for exports of a client's
/// sessions.
package struct TicketSecret: Sendable {
    /// Bytes that are overwritten when they are no longer used.
    ///
    /// Sendable without a check because the bytes are not changed between `init` and `deinit`.
    private final class Storage: @unchecked Sendable {
        let bytes: UnsafeRawBufferPointer

        init(_ bytes: borrowing [UInt8]) {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
            copy.copyBytes(from: bytes)
            self.bytes = UnsafeRawBufferPointer(copy)
        }

        deinit {
            let bytes = UnsafeMutableRawBufferPointer(mutating: self.bytes)
            OPENSSL_cleanse(bytes.baseAddress, bytes.count)
            bytes.deallocate()
        }
    }

    private let storage: Storage

    package init(_ bytes: [UInt8]) { self.storage = Storage(bytes) }

    /// Takes bytes over, which are overwritten.
    package init(erasing bytes: consuming [UInt8]) {
        var own = consume bytes
        self.storage = Storage(own)
        RandomBytes.erase(&own)
    }

    /// Appends the secret to bytes.
    package func append(to bytes: inout [UInt8]) { bytes.append(contentsOf: self.storage.bytes) }

    /// The purpose of the derived bytes, their format, and the epoch's number (RFC 5869 §3.2).
    private static let purpose = Array("secure-sockets session ticket key, version 1".utf8)

    /// Returns the key of an epoch; nil if memory fails.
    func key(ofEpoch number: UInt64) -> TicketKey? {
        let information = withUnsafeBytes(of: number.bigEndian) { Self.purpose + Array($0) }
        return self.derive(TicketKey.materialLength, for: information) { material in
            TicketKey(material, times: TicketKeyTimes(created: number * TicketKeyRing.rotation))
        }
    }

    /// Derives bytes (HKDF-SHA256, RFC 5869), which are overwritten afterwards. nil if memory fails.
    func derive<Value>(_ count: Int, for purpose: [UInt8], _ body: ([UInt8]) -> Value?) -> Value? {
        var material = [UInt8](repeating: 0, count: count)
        defer { material.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        let secret = self.storage.bytes
        let result = HKDF(
            &material, count, EVP_sha256(), secret.bindMemory(to: UInt8.self).baseAddress, secret.count, nil, 0, purpose,
            purpose.count)
        return result == 1 ? body(material) : nil
    }
}

extension TicketSecret: Hashable {
    package static func == (left: TicketSecret, right: TicketSecret) -> Bool {
        left.storage.bytes.elementsEqual(right.storage.bytes)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(bytes: self.storage.bytes) }
}

extension TicketSecret: CustomStringConvertible, CustomReflectable {
    package var description: String { "a secret for sessions" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
