/// Waits until the task is cancelled.
func untilCancelled() async {
    let never = AsyncStream<Void>.makeStream()
    await withTaskCancellationHandler {
        for await _ in never.stream {}
    } onCancel: {
        never.continuation.finish()
    }
}
