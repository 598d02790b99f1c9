import Dispatch
import Foundation
import NIOCore
import Synchronization

/// An asynchronous sequence of the bytes that are read from a descriptor, on a thread of its own.
///
/// Bytes are read only on demand. Cancelling ends the iteration; a `read` in progress is abandoned.
struct InputChunks: AsyncSequence, Sendable {
    private let descriptor: CInt
    /// The name for errors.
    private let name: String
    private let size: Int

    static let standardInput = InputChunks(STDIN_FILENO, name: "the standard input")

    init(_ descriptor: CInt, name: String, size: Int = 64 << 10) {
        self.descriptor = descriptor
        self.name = name
        self.size = size
    }

    func makeAsyncIterator() -> Iterator {
        let (chunks, continuation) = AsyncThrowingStream.makeStream(of: ByteBuffer.self)
        let demand = Demand()
        continuation.onTermination = { _ in demand.end() }
        Thread {
            do {
                while demand.wait(), let chunk = try BlockingIO.read(self.descriptor, limit: self.size) {
                    continuation.yield(chunk)
                }
                continuation.finish()
            } catch {
                let text = (error as? IOFailure)?.text ?? "\(error)"
                continuation.finish(throwing: ToolError.inputUnusable("\(self.name) cannot be read: \(text)"))
            }
        }.start()
        return Iterator(demand: demand, chunks: chunks.makeAsyncIterator())
    }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate let demand: Demand
        fileprivate var chunks: AsyncThrowingStream<ByteBuffer, any Error>.Iterator

        mutating func next() async throws -> ByteBuffer? {
            self.demand.signal()
            return try await self.chunks.next(isolation: #isolation)
        }
    }

    /// The demand for chunks, for which the reading thread waits.
    fileprivate final class Demand: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        private let isOver = Atomic(false)

        func signal() { self.semaphore.signal() }

        func end() {
            self.isOver.store(true, ordering: .releasing)
            self.semaphore.signal()
        }

        /// Waits for a demand. Returns false if there will be none.
        func wait() -> Bool {
            self.semaphore.wait()
            return !self.isOver.load(ordering: .acquiring)
        }
    }
}
