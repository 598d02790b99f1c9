import Hummingbird
import SecureSockets

// A server with its own protocol over TLS, and a status page over HTTP.

actor Statistics {
    private(set) var connections = 0
    func countConnection() { self.connections += 1 }
}

let statistics = Statistics()

let router = Router()
router.get("status") { _, _ in "\(await statistics.connections) connections have been accepted\n" }
let statusPage = Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: 8080)))

let identity = try TLSIdentity(certificateChain: "server.pem", privateKey: "server-key.pem")
let listener = try await SecureListener.bind(port: 8443, tls: TLSServerConfiguration(identity: identity))

try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await statusPage.runService() }
    group.addTask {
        try await listener.serve { socket in
            await statistics.countConnection()
            for try await message in socket.incoming { try await socket.send(message) }
        }
    }
    try await group.next()
    group.cancelAll()
}
