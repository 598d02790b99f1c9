/// Waits until a condition holds that other tasks bring about. The suite's time limit ends a wait for one that never does.
package func until(_ condition: () async throws -> Bool) async rethrows {
    while !(try await condition()) { await Task.yield() }
}
