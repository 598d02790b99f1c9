import Dispatch
import Foundation
import NIOCore
import Synchronization

/// The bytes that come from a descriptor, read by a thread of their own: waiting for them holds up nobody.
///
/// Nothing is read before it is asked for. Cancelling ends the iteration; a read that is under way is left behind.
struct InputChunks: AsyncSequence, Sendable {
    private let descriptor: CInt
    /// What it is, for errors.
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

    /// What the reading thread waits for: somebody who wants a chunk.
    fileprivate final class Demand: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        private let isOver = Atomic(false)

        func signal() { self.semaphore.signal() }

        func end() {
            self.isOver.store(true, ordering: .releasing)
            self.semaphore.signal()
        }

        /// False if nobody will want any more.
        func wait() -> Bool {
            self.semaphore.wait()
            return !self.isOver.load(ordering: .acquiring)
        }
    }
}
