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
        router.get("/") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: Self.page)))
        }
        // What TLS has negotiated, as the handler of a request sees it.
        router.get("/tls") { _, context in
            // The channel of an HTTP/2 request is that of its stream.
            let connection = context.channel.parent?.parent == nil ? context.channel : context.channel.parent
            let information = try await (connection ?? context.channel).tlsInformation().get()
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

    /// Reports in its text what a browser's script has received over HTTP and WebSocket.
    private static let page = """
        <!doctype html><title>Page</title><p id="http">-</p><p id="webSocket">-</p>
        <script>
        const set = (id, text) => { document.getElementById(id).textContent = text }
        fetch("/tls").then(response => response.text()).then(text => set("http", "HTTP: " + text))
        const socket = new WebSocket("wss://" + location.host + "/chat")
        socket.onopen = () => socket.send("hello")
        socket.onmessage = event => set("webSocket", "WebSocket: " + event.data)
        socket.onerror = () => set("webSocket", "WebSocket failed")
        </script>
        """
}

/// The context of a request, with its channel.
struct ChannelContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.channel = source.channel
    }
}
