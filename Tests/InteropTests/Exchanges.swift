import NIOCore
import SecureSockets
import TestSupport

extension StreamSocket {
    /// Sends an HTTP request. Returns the status code and the body, after the server's end of stream.
    func get(host: String) async throws(SecureSocketError) -> (status: Int?, body: String) {
        try await self.send("GET / HTTP/1.0\r\nHost: \(host)\r\n\r\n")
        let status = try await self.receiveLine(timeout: Encounter.patience)
            .flatMap { String(buffer: $0).split(separator: " ").dropFirst().first }
        while let line = try await self.receiveLine(timeout: Encounter.patience), line.readableBytes > 0 {}
        var body = ""
        while let bytes = try await self.receive(timeout: Encounter.patience) { body += String(buffer: bytes) }
        self.close()
        return (status.flatMap { Int($0) }, body)
    }
}

extension SecureSocket {
    /// Responds to an HTTP request with the name that the client requested, and the subject of its certificate.
    func answerRequest() async throws(SecureSocketError) {
        while let line = try await self.receiveLine(), line.readableBytes > 0 {}
        let text = "\(self.information.serverName ?? "") \(self.information.peerCertificate?.subject ?? "")"
        try await self.send("HTTP/1.0 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
    }

    /// Receives a line, and sends it back.
    func echoLine() async throws(SecureSocketError) {
        guard let line = try await self.receiveLine() else { return }
        try await self.send(String(buffer: line) + "\n")
    }
}
