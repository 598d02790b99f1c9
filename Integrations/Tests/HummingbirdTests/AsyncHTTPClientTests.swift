import AsyncHTTPClient
import HummingbirdCore
import HummingbirdSecureSockets
import NIOCore
import NIOSSL
import SecureSockets
import SecureSocketsNIO
import SecureSocketsTesting
import Testing

/// Hummingbird on the channel handler, loaded by async-http-client, which has its own TLS (NIOSSL).
@Suite(.timeLimit(.minutes(5))) struct `Hummingbird on the channel handler, with async-http-client` {
    @Test(arguments: [HTTPClient.Configuration.HTTPVersion.automatic, .http1Only])
    func `serves requests at the same time`(version: HTTPClient.Configuration.HTTPVersion) async throws {
        let server = try WebServer()
        var configuration = HTTPClient.Configuration(certificateVerification: .fullVerification)
        configuration.tlsConfiguration = .makeClientConfiguration()
        configuration.tlsConfiguration?.trustRoots = .file(server.authorityFile)
        configuration.httpVersion = version
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        try await server.run(.secureHTTP2(server.tls)) { port in
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<200 {
                    group.addTask {
                        let response = try await client.execute(
                            HTTPClientRequest(url: "https://localhost:\(port)/tls"), timeout: .seconds(60))
                        return String(buffer: try await response.body.collect(upTo: 1000))
                    }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(answers == [version == .automatic ? "h2 localhost" : "http/1.1 localhost"])

            let response = try await client.execute(
                HTTPClientRequest(url: "https://localhost:\(port)/large"), timeout: .seconds(60))
            #expect(try await response.body.collect(upTo: 4 << 20).readableBytes == WebServer.largeLength)
            try await client.shutdown()
        }
    }
}
