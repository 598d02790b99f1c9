internal import CNIOBoringSSL

/// A digest (SHA-256) of the contents of several files, and of the errors for those that could not be read.
///
/// Two digests are equal only if every file has the same bytes, or the same error, in the same order.
package struct ContentDigest: Sendable, Hashable {
    private let bytes: [UInt8]

    package init(of files: [FileContent]) {
        var context = SHA256_CTX()
        SHA256_Init(&context)
        func update(_ bytes: [UInt8]) {
            // The length makes the concatenation unambiguous.
            var count = UInt64(bytes.count).littleEndian
            SHA256_Update(&context, &count, 8)
            SHA256_Update(&context, bytes, bytes.count)
        }
        for file in files {
            update(Array(file.path.utf8))
            switch file.result {
            case .success(let bytes):
                update([1])
                update(bytes)
            case .failure(let error):
                update([0])
                update(Array("\(error.problem)".utf8))
            }
        }
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256_Final(&digest, &context)
        self.bytes = digest
    }
}
