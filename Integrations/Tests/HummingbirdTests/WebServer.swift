import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdSecureSockets
import Logging
import NIOCore
import PeerSupport
import SecureSockets
import SecureSocketsNIO
import SecureSocketsTesting
import ServiceLifecycle
import Testing

/// A Hummingbird server over TLS, with an authority that clients trust.
struct WebServer: Sendable {
    let authority: DevelopmentAuthority
    let tls: LiveServerConfiguration
    /// The file of the authority's certificate, for other programs.
    let authorityFile: String
    private let directory: TemporaryDirectory

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.tls = LiveServerConfiguration(try Self.configuration(self.authority.server()))
        self.directory = try TemporaryDirectory()
        self.authorityFile = try self.directory.write(self.authority.certificatePEM, to: "authority.pem")
    }

    static func configuration(_ identity: DevelopmentIdentity) throws -> TLSServerConfiguration {
        var parameters = TLSParameters()
        parameters.applicationProtocols = ["h2", "http/1.1"]
        return try TLSServerConfiguration(identity: identity.identity, parameters: parameters)
    }

    /// Runs a server until the body ends, then shuts it down gracefully.
    func run(_ builder: HTTPServerBuilder, _ body: (_ port: Int) async throws -> Void) async throws {
        let (ports, announcement) = AsyncStream.makeStream(of: Int?.self, bufferingPolicy: .bufferingOldest(1))
        var logger = Logger(label: "WebServer")
        logger.logLevel = .error
        let application = Application(
            router: Self.router(), server: builder, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { announcement.yield($0.localAddress?.port) }, logger: logger)
        let services = ServiceGroup(services: [application], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { announcement.finish() }
                try await services.run()
            }
            let announced = await ports.first { _ in true }
            let port = try #require(announced ?? nil)
            try await body(port)
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    private static func router() -> Router<ChannelContext> {
        let router = Router(context: ChannelContext.self)
        router.get("/") { _, context in
            Response(
                status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: Self.page(try await context.tlsInformation()))))
        }
        router.get("/tls") { _, context in
            let information = try await context.tlsInformation()
            let alpn = information?.applicationProtocol ?? "none"
            return "\(alpn) \(information?.serverName ?? "no name")"
        }
        router.post("/length") { request, _ in
            var length = 0
            for try await bytes in request.body { length += bytes.readableBytes }
            return "\(length)"
        }
        router.get("/large") { _, _ in
            Response(
                status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(repeating: UInt8(ascii: "x"), count: Self.largeLength)))
        }
        return router
    }

    static let largeLength = 3_000_000

    /// A page with what TLS has negotiated. Its text reports what a browser's script has received over HTTP and WebSocket.
    private static func page(_ information: ConnectionInformation?) -> String {
        let rows = [
            ("Protocol", information.map { "\($0.version)" }),
            ("Cipher suite", information.map { "\($0.cipherSuite)" }),
            ("Key exchange", information?.group.map { "\($0)" }),
            ("Application protocol (ALPN)", information?.applicationProtocol),
        ]
        return """
            <!doctype html>
            <title>Hummingbird on SecureSockets</title>
            <style>
            body { font: 16px sans-serif; margin: 40px } th, td { text-align: left; padding: 6px 24px 6px 0; font-weight: normal }
            th { color: #666 }
            </style>
            <h1>Hummingbird on SecureSockets</h1>
            <table>\(rows.map { "<tr><th>\($0)</th><td>\($1 ?? "none")</td></tr>" }.joined())</table>
            <p id="http">-</p><p id="webSocket"></p>
            <script>
            const set = (id, text) => { document.getElementById(id).textContent = text }
            fetch("/tls").then(response => response.text()).then(text => set("http", "HTTP: " + text))
            // The server has WebSocket over HTTP/1.1 only.
            if (performance.getEntriesByType("navigation")[0].nextHopProtocol === "http/1.1") {
                const socket = new WebSocket("wss://" + location.host + "/chat")
                socket.onopen = () => socket.send("hello")
                socket.onmessage = event => set("webSocket", "WebSocket: " + event.data)
                socket.onerror = () => set("webSocket", "WebSocket failed")
            }
            </script>
            """
    }
}

/// The context of a request, with its channel.
struct ChannelContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.channel = source.channel
    }

    /// What TLS has negotiated, as the handler of a request sees it.
    func tlsInformation() async throws -> ConnectionInformation? {
        // The channel of an HTTP/2 request is that of its stream.
        let connection = self.channel.parent?.parent == nil ? self.channel : self.channel.parent
        return try await (connection ?? self.channel).tlsInformation().get()
    }
}
