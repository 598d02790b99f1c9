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

/// Reports from tasks that must not wait, such as those on an event loop: printed in their order by a task of its own.
///
/// If the reader does not keep up, reports above the limit are dropped.
struct EventLog: Sendable {
    private let reporter: Reporter
    private let entries: AsyncStream<any Report>
    private let continuation: AsyncStream<any Report>.Continuation

    init(_ reporter: Reporter, limit: Int = 4096) {
        self.reporter = reporter
        (self.entries, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(limit))
    }

    /// Returns at once.
    func add(_ report: any Report) { self.continuation.yield(report) }

    /// Prints what is added while `body` runs, all of it before this returns.
    func printing(while body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // A log that nobody reads is no reason to stop serving.
                for await report in self.entries { try? self.reporter.report(report) }
            }
            defer { self.continuation.finish() }
            try await body()
        }
    }
}
