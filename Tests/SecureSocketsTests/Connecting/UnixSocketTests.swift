import Foundation
import NIOCore
import NIOPosix
import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSockets

#if os(Linux)
    import CEpoll
#endif

/// Listeners and sockets with a path instead of a port. `StreamCarrier` has their streams.
@Suite(.timeLimit(.minutes(5))) struct `A Unix domain socket` {
    private let directory: TemporaryDirectory
    private let server: TLSServerConfiguration
    private let client: TLSClientConfiguration
    private var path: String { self.directory.path(of: "socket") }

    init() throws {
        self.directory = try TemporaryDirectory()
        let authority = try DevelopmentAuthority()
        self.server = try TLSServerConfiguration(identity: authority.server(names: ["app.test"]).identity)
        self.client = try TLSClientConfiguration(trust: authority.trust)
    }

    private static let groups: [any EventLoopGroup] = [SocketEventLoopGroup.shared, MultiThreadedEventLoopGroup.singleton]

    private func plainConnection(
        on group: any EventLoopGroup, options: ListenerOptions = ListenerOptions(),
        _ body: (_ client: PlainSocket, _ server: PlainSocket) async throws -> Void
    ) async throws {
        let listener = try await PlainListener.bind(unixSocket: self.path, options: options, on: group)
        async let accepted = listener.accept(timeout: Encounter.patience)
        let client = try await PlainSocket.connect(toUnixSocket: self.path, timeout: Encounter.patience, on: group)
        let server = try await accepted
        try await body(client, server)
        client.close()
        server.close()
        listener.close()
        await listener.waitUntilClosed()
    }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    @Test(arguments: 0..<2) func `tells its path, and that the client has none`(group: Int) async throws {
        try await self.plainConnection(on: Self.groups[group]) { client, server in
            #expect(client.remoteEndpoint == SocketEndpoint(unixPath: self.path))
            #expect(server.localEndpoint == SocketEndpoint(unixPath: self.path))
            #expect(server.remoteEndpoint == SocketEndpoint(unixPath: ""))
            #expect(client.remoteEndpoint.map { "\($0)" } == "unix:\(self.path)")
            #expect(server.remoteEndpoint.map { "\($0)" } == "unix:(unnamed)")
            #expect(server.remoteEndpoint?.port == 0)
            #expect(server.remoteEndpoint?.host == "")
        }
    }

    @Test(arguments: 0..<2) func `carries bytes, takes options that are for TCP, and ends`(group: Int) async throws {
        try await self.plainConnection(on: Self.groups[group]) { client, server in
            try await client.setNoDelay(false)
            try await client.send("question")
            #expect(try await server.receive() == ByteBuffer(string: "question"))
            try await client.closeWriting()
            #expect(try await server.receive() == nil)
            try await server.send("answer")
            #expect(try await client.receive() == ByteBuffer(string: "answer"))
        }
    }

    @Test(arguments: 0..<2) func `becomes a secure one, or is one from the beginning`(group: Int) async throws {
        let group = Self.groups[group]
        try await self.plainConnection(on: group) { client, server in
            async let accepted = server.upgrade(tls: self.server)
            let secureClient = try await client.upgrade(tls: self.client, host: "app.test")
            let secureServer = try await accepted
            try await secureClient.send("secret")
            #expect(try await secureServer.receive() == ByteBuffer(string: "secret"))
            secureClient.close()
            secureServer.close()
        }
        let listener = try await SecureListener.bind(unixSocket: self.path, tls: self.server, on: group)
        async let serving: Void = listener.serve { socket in
            for try await bytes in socket.incoming { try await socket.send(bytes) }
        }
        for _ in 0..<2 {
            let socket = try await SecureSocket.connect(
                toUnixSocket: self.path, host: "app.test", tls: self.client, timeout: Encounter.patience, on: group)
            try await socket.send("hello")
            #expect(try await socket.receive() == ByteBuffer(string: "hello"))
            socket.close()
        }
        await expectError(.certificateVerificationFailed) {
            _ = try await SecureSocket.connect(
                toUnixSocket: self.path, host: "other.test", tls: self.client, timeout: Encounter.patience, on: group)
        }
        listener.close()
        try await serving
    }

    @Test(arguments: 0..<2) func `has a file until its listener is closed, with the permissions that were asked for`(
        group: Int
    ) async throws {
        var options = ListenerOptions()
        options.unixPermissions = 0o666
        try await self.plainConnection(on: Self.groups[group], options: options) { _, _ in
            let attributes = try FileManager.default.attributesOfItem(atPath: self.path)
            #expect(attributes[.posixPermissions] as? Int == 0o666)
            #expect(attributes[.type] as? FileAttributeType == .typeSocket)
        }
        #expect(!self.exists(self.path))
    }

    @Test(arguments: 0..<2) func `replaces a file that an earlier server has left`(group: Int) async throws {
        let descriptor = try UnixSocketFile.listen(at: self.path, backlog: 1, permissions: nil).descriptor
        _ = close(descriptor)
        #expect(self.exists(self.path))
        try await self.plainConnection(on: Self.groups[group]) { client, server in
            try await client.send("hello")
            #expect(try await server.receive() == ByteBuffer(string: "hello"))
        }
    }

    @Test(arguments: 0..<2) func `takes the path of no running server, and of no other file`(group: Int) async throws {
        let group = Self.groups[group]
        let first = try await PlainListener.bind(unixSocket: self.path, on: group)
        await expectError(.addressInUse, containing: "Another server listens there") {
            _ = try await PlainListener.bind(unixSocket: self.path, on: group)
        }
        first.close()
        let file = try self.directory.write("text", to: "file")
        await expectError(.addressInUse, containing: "no socket") {
            _ = try await PlainListener.bind(unixSocket: file, on: group)
        }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "text")
    }

    @Test func `leaves the file of its successor alone`() async throws {
        let first = try await PlainListener.bind(unixSocket: self.path)
        try FileManager.default.removeItem(atPath: self.path)
        let second = try await PlainListener.bind(unixSocket: self.path)
        first.close()
        await first.waitUntilClosed()
        #expect(self.exists(self.path))
        second.close()
        await second.waitUntilClosed()
        #expect(!self.exists(self.path))
    }

    @Test(arguments: 0..<2) func `fails with errors that name the path, and advice for it`(group: Int) async throws {
        let group = Self.groups[group]
        await expectError(.connectionRefused, containing: "Check the path") {
            _ = try await PlainSocket.connect(toUnixSocket: self.path, on: group)
        }
        let file = try self.directory.write("text", to: "file")
        await expectError(.connectionRefused, containing: "unix:\(file)") {
            _ = try await PlainSocket.connect(toUnixSocket: file, on: group)
        }
        await expectError(.addressNotAvailable, containing: "Create its folder") {
            _ = try await PlainListener.bind(unixSocket: self.directory.path(of: "missing/socket"), on: group)
        }
        for path in ["", "a\0b", String(repeating: "x", count: 104)] {
            await expectError(.invalidArgument) { _ = try await PlainListener.bind(unixSocket: path, on: group) }
            await expectError(.invalidArgument) { _ = try await PlainSocket.connect(toUnixSocket: path, on: group) }
        }
        var options = ListenerOptions()
        options.reusePort = true
        await expectError(.invalidArgument) {
            _ = try await PlainListener.bind(unixSocket: self.path, options: options, on: group)
        }
        options = ListenerOptions()
        options.unixPermissions = 0o1777
        await expectError(.invalidArgument) {
            _ = try await PlainListener.bind(unixSocket: self.path, options: options, on: group)
        }
        #expect(!self.exists(self.path))
    }

    #if os(Linux)
        @Test(arguments: 0..<2) func `waits for room in the queue of a busy server, and not forever`(group: Int) async throws {
            let group = Self.groups[group]
            let (descriptor, file) = try UnixSocketFile.listen(at: self.path, backlog: 0, permissions: nil)
            let first = try await PlainSocket.connect(toUnixSocket: self.path, timeout: Encounter.patience, on: group)
            await expectError(.timedOut) {
                _ = try await PlainSocket.connect(toUnixSocket: self.path, timeout: .milliseconds(50), on: group)
            }
            async let second = PlainSocket.connect(toUnixSocket: self.path, timeout: Encounter.patience, on: group)
            let accepted = accept(descriptor, nil, nil)
            let socket = try await second
            #expect(socket.remoteEndpoint == SocketEndpoint(unixPath: self.path))
            first.close()
            socket.close()
            file.remove()
            _ = close(accepted)
            _ = close(descriptor)
        }

        @Test func `shows a client's name of full length, and its control characters escaped`() throws {
            var storage = sockaddr_storage()
            withUnsafeMutableBytes(of: &storage) { bytes in
                for index in bytes.indices { bytes[index] = UInt8(ascii: "x") }
                bytes.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
                bytes[2] = 10
            }
            let endpoint = try #require(SocketEndpoint(SocketAddress(storage)))
            #expect(endpoint.unixPath?.utf8.count == 107)
            #expect(endpoint.description.hasPrefix("unix:\\n") || endpoint.description.hasPrefix("unix:\\u"))
        }

        @Test func `keeps the whole queue for clients that its listener was given`() async throws {
            for group in Self.groups {
                var options = ListenerOptions()
                options.backlog = 300
                let listener = try await PlainListener.bind(unixSocket: self.path, options: options, on: group)
                var clients: [PlainSocket] = []
                for _ in 0..<250 { clients.append(try await PlainSocket.connect(toUnixSocket: self.path, timeout: .seconds(5))) }
                #expect(clients.count == 250)
                for client in clients { client.close() }
                listener.close()
                await listener.waitUntilClosed()
            }
        }
    #endif
}
