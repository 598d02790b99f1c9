import ClassicSSL

/// No call of a test waits longer than this, in milliseconds.
let patience: SSL.Timeout = 120_000

/// Why something failed; nil if it did not.
func reason(_ body: () async throws -> Void) async -> SSL.Reason? {
    do {
        try await body()
        return nil
    } catch {
        return error as? SSL.Reason ?? .badinfo("\(error)")
    }
}

/// Receives exactly so many bytes of a passive socket that gives lists.
func receive(_ count: Int, from socket: SSL.Socket) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count { bytes += try await SSL.recv(socket, 0, patience).array }
    return bytes
}

/// Bytes that do not repeat in any way that framing could hide.
func pattern(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8) }
    return bytes
}
