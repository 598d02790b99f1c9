/// Identifies a task among those that exist at the same time.
///
/// The standard library represents a task as an opaque value (`UnsafeCurrentTask`), whose comparison costs some hundred instructions. Its
/// bytes serve as well: they are the address of the task's object, so equal bytes identify the same task while that task runs. The library
/// does not guarantee this. It was checked with Swift 6.3.1, and `TaskIdentityTests` checks it again. If the value had another size, there
/// would be no identity, and every wait would install a cancellation handler (`LoopTask`).
struct TaskIdentity: Hashable {
    private let address: UnsafeRawPointer

    /// The identity of the calling task; nil outside of a task.
    static var current: TaskIdentity? {
        withUnsafeCurrentTask { task in
            withUnsafeBytes(of: task) { bytes in
                guard bytes.count == MemoryLayout<UInt>.size else { return nil }
                return UnsafeRawPointer(bitPattern: bytes.loadUnaligned(as: UInt.self)).map(TaskIdentity.init)
            }
        }
    }
}
