import Dispatch
import Testing

@testable import SecureSockets

@Suite struct `The identity of a task` {
    @Test func `is there: the standard library's value is one word`() {
        #expect(MemoryLayout<UnsafeCurrentTask?>.size == MemoryLayout<UInt>.size)
        #expect(TaskIdentity.current != nil)
    }

    @Test func `stays the same while the task waits and runs on other threads`() async {
        let before = TaskIdentity.current
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            #expect(TaskIdentity.current == before)
            DispatchQueue.global().async { continuation.resume() }
        }
        await Task.yield()
        #expect(TaskIdentity.current == before)
    }

    @Test func `is not that of a child, or of another task that it starts`() async {
        let own = Identity()
        async let child = Identity() == own
        #expect(await child == false)
        #expect(await Task { Identity() == own }.value == false)
        let isChilds = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<10 { group.addTask { Identity() == own } }
            return await group.contains(true)
        }
        #expect(!isChilds)
    }

    @Test func `does not exist outside of a task`() async {
        let identity = await withUnsafeContinuation { continuation in
            DispatchQueue(label: "no task").async { continuation.resume(returning: Identity()) }
        }
        #expect(identity.value == nil)
    }

    /// The calling task's identity, to be compared in another.
    ///
    /// Sendable without a check because an address is compared only.
    private struct Identity: Equatable, @unchecked Sendable {
        let value = TaskIdentity.current
    }
}
