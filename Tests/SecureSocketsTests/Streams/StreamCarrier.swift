import NIOCore
import NIOPosix
import SecureSockets
import SecureSocketsTesting
import TestSupport

/// The carriers of a stream's bytes.
enum StreamCarrier: Sendable, CaseIterable {
    case memory, memoryByteByByte, memoryInSmallPieces, loopback, loopbackOverNIO, unixSocket, unixSocketOverNIO

    /// Two connected ends, and a place that keeps what has to live as long.
    func pair(_ options: SocketOptions = SocketOptions.patient) async throws -> StreamPair {
        let certificates = try TestCertificates.shared.get()
        let client = try certificates.clientConfiguration()
        let server = try certificates.serverConfiguration()
        let fragmentation: Fragmentation
        switch self {
        case .memory: fragmentation = .whole
        case .memoryByteByByte: fragmentation = .oneByteAtATime
        case .memoryInSmallPieces: fragmentation = .pieces(of: 777)
        case .loopback: return try await .overLoopback(client: client, server: server, options: options)
        case .loopbackOverNIO:
            return try await .overLoopback(
                client: client, server: server, options: options, on: .singletonMultiThreadedEventLoopGroup)
        case .unixSocket: return try await .overUnixSocket(client: client, server: server, options: options)
        case .unixSocketOverNIO:
            return try await .overUnixSocket(
                client: client, server: server, options: options, on: .singletonMultiThreadedEventLoopGroup)
        }
        let (one, other) = try await SecureSocket.connectedPair(
            client: client, server: server, options: options, fragmentation: fragmentation)
        return StreamPair(client: one, server: other)
    }

    var large: Int { self == .memoryByteByByte ? 20_000 : 1_000_000 }

    private var hasBuffersOfTheSystem: Bool {
        switch self {
        case .memory, .memoryByteByByte, .memoryInSmallPieces: false
        case .loopback, .loopbackOverNIO, .unixSocket, .unixSocketOverNIO: true
        }
    }

    /// So much that a sender has to wait, also for the operating system's buffers.
    var moreThanFitsAnywhere: Int { self.hasBuffersOfTheSystem ? 20_000_000 : self.large }

    var smallBuffers: SocketOptions {
        var options = SocketOptions.patient
        options.sendHighWaterMark = 10_000
        options.readAhead = self.hasBuffersOfTheSystem ? 16_000 : 1000
        return options
    }
}
