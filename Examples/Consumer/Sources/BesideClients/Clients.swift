import AsyncHTTPClient
import GRPCNIOTransportHTTP2
import SecureSockets

/// Clients of three protocols in one module, whose public names must not collide.
struct Clients {
    var http: HTTPClient
    var grpc: HTTP2ClientTransport.Posix
    var socket: SecureSocket

    init(host: String) async throws {
        self.http = HTTPClient.shared
        self.grpc = try HTTP2ClientTransport.Posix(target: .dns(host: host), transportSecurity: .tls)
        self.socket = try await SecureSocket.connect(to: host, port: 443)
    }

    func fetch(_ path: String, from host: String) async throws -> ByteBuffer {
        let response = try await self.http.execute(HTTPClientRequest(url: "https://\(host)\(path)"), timeout: .seconds(10))
        return try await response.body.collect(upTo: 1 << 20)
    }
}
