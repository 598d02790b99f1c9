import Dispatch
import Foundation
import NIOCore

/// A destination of lines: standard output, standard error, or a test's list.
struct LineOutput: Sendable {
    private let body: @Sendable (String) throws -> Void

    static let standardOutput = LineOutput { text in try Self.write(text, to: STDOUT_FILENO) }
    static let standardError = LineOutput { text in try Self.write(text, to: STDERR_FILENO) }

    init(_ body: @escaping @Sendable (String) throws -> Void) { self.body = body }

    /// Writes one or more lines in one piece. Waits for a slow reader.
    func write(_ line: String) throws { try self.body(line) }

    private static func write(_ text: String, to descriptor: CInt) throws {
        try ToolError.writing(text.utf8 + [UInt8(ascii: "\n")], to: descriptor)
    }
}

/// Standard output for bytes. Writes run on a thread of their own, so that a slow reader blocks only the writing task.
struct ByteOutput: Sendable {
    private let descriptor: CInt
    private let queue = DispatchQueue(label: "tls.output")

    static let standardOutput = ByteOutput(STDOUT_FILENO)

    init(_ descriptor: CInt) { self.descriptor = descriptor }

    /// Writes the bytes. Returns when the operating system has accepted all of them.
    func write(_ bytes: ByteBuffer) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            self.queue.async {
                continuation.resume(with: Result { try ToolError.writing(bytes.readableBytesView, to: self.descriptor) })
            }
        }
    }
}

extension ToolError {
    /// Writes the bytes and converts a failure to a tool error.
    fileprivate static func writing(_ bytes: some Sequence<UInt8>, to descriptor: CInt) throws(ToolError) {
        do {
            try BlockingIO.write(bytes, to: descriptor)
        } catch {
            if error.number == EPIPE { throw .readerGone }
            let stream = descriptor == STDERR_FILENO ? "error" : "output"
            throw .outputUnusable("the standard \(stream) cannot be written: \(error.text)")
        }
    }
}
