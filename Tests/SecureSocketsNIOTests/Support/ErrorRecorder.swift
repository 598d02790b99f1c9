import NIOCore
import SecureSockets
import Synchronization

/// Records the errors that arrive at the end of a pipeline.
final class ErrorRecorder: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let recorded = Mutex<[any Error]>([])

    var errors: [any Error] { self.recorded.withLock { $0 } }
    var codes: [SecureSocketError.Code?] { self.errors.map { ($0 as? SecureSocketError)?.code } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.recorded.withLock { $0.append(error) } }
}
