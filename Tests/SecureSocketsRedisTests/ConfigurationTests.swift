import SecureSockets
import SecureSocketsTesting
import Testing

@testable import SecureSocketsRedis

@Suite struct `A configuration` {
    @Test func `is read from a URL`() throws {
        let plain = try RedisConfiguration(url: "redis://cache.example")
        #expect(plain.endpoint == SocketEndpoint(host: "cache.example", port: 6379))
        #expect(plain.tls == nil && plain.username == nil && plain.password == nil && plain.database == 0)

        let all = try RedisConfiguration(url: "REDISS://us%40er:p%3Aa%2Fs%25:@[2001:db8::1]:6380/15")
        #expect(all.endpoint == SocketEndpoint(host: "2001:db8::1", port: 6380))
        #expect(all.tls != nil && all.username == "us@er" && all.password == "p:a/s%:" && all.database == 15)

        let withoutUser = try RedisConfiguration(url: "redis://:se@cret@10.0.0.1/")
        #expect(withoutUser.endpoint == SocketEndpoint(host: "10.0.0.1", port: 6379))
        #expect(withoutUser.username == nil && withoutUser.password == "se@cret")

        for url in ["unix:///run/redis%20a.sock", "redis+unix:///run/redis%20a.sock"] {
            #expect(try RedisConfiguration(url: url).endpoint.unixPath == "/run/redis a.sock")
        }
    }

    @Test func `uses the TLS settings that are given with a URL`() throws {
        let tls = try TLSClientConfiguration(trust: DevelopmentAuthority().trust)
        #expect(try RedisConfiguration(url: "rediss://cache.example", tls: tls).tls != nil)
        #expect(throws: RedisError.self) { try RedisConfiguration(url: "redis://cache.example", tls: tls) }
        #expect(throws: RedisError.self) { try RedisConfiguration(url: "unix:///run/redis.sock", tls: tls) }
    }

    @Test(arguments: [
        ("", "has no scheme"), ("secret@host", "has no scheme"), ("http://secret@host", "has an unknown scheme"),
        ("redis://", "has no host"), ("redis://:secret@", "has no host"), ("redis://[::1", "without a closing bracket"),
        ("redis://host:secret", "invalid port"), ("redis://host:0", "invalid port"), ("redis://host:65536", "invalid port"),
        ("redis://host:", "invalid port"), ("redis://::1", "invalid port"), ("redis://[::1]6379", "invalid port"),
        ("redis://host/secret", "invalid path"), ("redis://host/-1", "invalid path"), ("redis://host/99999999999", "database"),
        ("redis://host?db=1", "a query"), ("redis://host#1", "a query"), ("redis://:sec/ret@host", "an @ after the host"),
        ("redis://secret@host", "without a password"), ("redis://:secret%2@host", "% in its password"),
        ("redis://:secret%zz@host", "% in its password"), ("redis://:secret%ff@host", "not UTF-8"),
        ("redis://:secret%00@host", "a zero byte"), ("unix://run/redis.sock", "no absolute path"), ("unix:///a?db=1", "a query"),
    ])
    func `names the part of a URL at fault, and does not quote it`(url: String, problem: String) throws {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(problem) == true, "\(error?.message ?? "")")
        #expect(error?.advice != nil)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func `does not reveal the password`() throws {
        let configuration = try RedisConfiguration(url: "redis://user:s3cret@host:1/2")
        var dumped = ""
        dump(configuration, to: &dumped)
        let command = RedisCommand("AUTH", "user", "s3cret")
        dump(command, to: &dumped)
        dump(RedisValue.bulkString(Array("s3cret".utf8)), to: &dumped)
        for text in [dumped, "\(configuration)", String(reflecting: configuration), "\(command)", String(reflecting: command)] {
            #expect(!text.contains("s3cret"))
        }
        #expect("\(configuration)" == "redis://user@host:1/2")
        #expect("\(command)" == "AUTH with 2 arguments")
    }

    private static let faults: [(String, @Sendable (inout RedisConfiguration) -> Void)] = [
        ("port", { $0.endpoint = SocketEndpoint(host: "host", port: 0) }),
        ("host", { $0.endpoint = SocketEndpoint(host: "", port: 1) }),
        ("username", { $0.username = "user" }),
        ("database", { $0.database = -1 }),
        ("clientName", { $0.clientName = "a b" }),
        ("connectTimeout", { $0.connectTimeout = .zero }),
        ("commandTimeout", { $0.commandTimeout = .seconds(86_401) }),
        ("minimumBackoff", { $0.minimumBackoff = .seconds(6) }),
        ("maximumBackoff", { $0.maximumBackoff = .seconds(-1) }),
        ("maximumQueuedCommands", { $0.maximumQueuedCommands = 0 }),
        ("maximumReplySize", { $0.maximumReplySize = 1 }),
    ]

    @Test func `names the setting at fault`() {
        for (name, change) in Self.faults {
            var configuration = RedisConfiguration(host: "host")
            change(&configuration)
            let error = #expect(throws: RedisError.self) { try RedisClient(configuration) }
            #expect(error?.code == .invalidConfiguration)
            #expect(error?.message.contains(name) == true)
        }
    }

    @Test func `encodes commands`() {
        let command = RedisCommand("SET", "ké", [0, 255] as [UInt8], Substring("PX"), 500, [1, 2, 3][1...] as ArraySlice<UInt8>)
        var expected = Array("*6\r\n$3\r\nSET\r\n$3\r\nké\r\n$2\r\n".utf8)
        expected += [0, 255]
        expected += Array("\r\n$2\r\nPX\r\n$3\r\n500\r\n$2\r\n\u{2}\u{3}\r\n".utf8)
        #expect(Array(command.encoded.readableBytesView) == expected)
    }
}
