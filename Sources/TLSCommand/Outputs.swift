import Dispatch
import Foundation
import NIOCore

/// A place for lines: the standard output, the standard error, or a test's list.
struct LineOutput: Sendable {
    private let body: @Sendable (String) throws -> Void

    static let standardOutput = LineOutput { text in try Self.write(text, to: STDOUT_FILENO) }
    static let standardError = LineOutput { text in try Self.write(text, to: STDERR_FILENO) }

    init(_ body: @escaping @Sendable (String) throws -> Void) { self.body = body }

    /// Writes a line, or several, in one piece. Waits for a reader that is slow.
    func write(_ line: String) throws { try self.body(line) }

    private static func write(_ text: String, to descriptor: CInt) throws {
        try ToolError.writing(text.utf8 + [UInt8(ascii: "\n")], to: descriptor)
    }
}

/// The standard output for bytes. Writes happen on a thread of their own: a reader that is slow holds up its task only.
struct ByteOutput: Sendable {
    private let descriptor: CInt
    private let queue = DispatchQueue(label: "tls.output")

    static let standardOutput = ByteOutput(STDOUT_FILENO)

    init(_ descriptor: CInt) { self.descriptor = descriptor }

    /// Returns when the operating system has all of the bytes.
    func write(_ bytes: ByteBuffer) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            self.queue.async {
                continuation.resume(with: Result { try ToolError.writing(bytes.readableBytesView, to: self.descriptor) })
            }
        }
    }
}

extension ToolError {
    /// Writes, and puts a failure into this tool's words.
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
