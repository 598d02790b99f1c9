import Crypto
import SecureSockets

// Prints the digest of a server's response.

let socket = try await SecureSocket.connect(to: "example.org", port: 443)
try await socket.send("GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")
var digest = SHA256()
for try await bytes in socket.incoming { bytes.withUnsafeReadableBytes { digest.update(bufferPointer: $0) } }
print(digest.finalize())
socket.close()
