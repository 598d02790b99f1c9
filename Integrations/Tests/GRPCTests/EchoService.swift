import GRPCCore

/// Messages that are bytes.
struct BytesCoding: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] { bytes.withUnsafeBytes { Array($0) } }
}

/// A service that returns what it receives, with a unary method and a bidirectional one.
struct EchoService: RegistrableRPCService {
    static let unary = MethodDescriptor(fullyQualifiedService: "test.Echo", method: "Unary")
    static let stream = MethodDescriptor(fullyQualifiedService: "test.Echo", method: "Stream")

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerHandler(forMethod: Self.unary, deserializer: BytesCoding(), serializer: BytesCoding()) { request, _ in
            let request = try await ServerRequest(stream: request)
            return StreamingServerResponse(single: ServerResponse(message: request.message))
        }
        router.registerHandler(forMethod: Self.stream, deserializer: BytesCoding(), serializer: BytesCoding()) { request, _ in
            StreamingServerResponse { writer in
                for try await message in request.messages { try await writer.write(message) }
                return [:]
            }
        }
    }
}

extension GRPCClient {
    /// Sends a message and returns the answer.
    func echo(_ message: [UInt8]) async throws -> [UInt8] {
        try await self.unary(
            request: ClientRequest(message: message), descriptor: EchoService.unary, serializer: BytesCoding(),
            deserializer: BytesCoding(), options: .defaults
        ) { try $0.message }
    }

    /// Sends each message after the answer to the one before, and returns the answers.
    ///
    /// - Parameter afterAnswer: Runs after each answer and before the next message, with the number of answers.
    func converse(
        _ messages: [[UInt8]], afterAnswer: @escaping @Sendable (Int) async throws -> Void = { _ in }
    ) async throws -> [[UInt8]] {
        // Each answer permits the next message.
        let (answered, permit) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingOldest(1))
        return try await self.bidirectionalStreaming(
            request: StreamingClientRequest { writer in
                var permits = answered.makeAsyncIterator()
                for message in messages {
                    try await writer.write(message)
                    _ = await permits.next()
                }
            }, descriptor: EchoService.stream, serializer: BytesCoding(), deserializer: BytesCoding(), options: .defaults
        ) { response in
            var answers: [[UInt8]] = []
            defer { permit.finish() }
            for try await answer in response.messages {
                answers.append(answer)
                try await afterAnswer(answers.count)
                permit.yield()
            }
            return answers
        }
    }
}
