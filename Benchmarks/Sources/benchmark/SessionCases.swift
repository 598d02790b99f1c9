import ArgumentParser
import Foundation
import SecureSockets
import SecureSocketsRedis

/// Where a server's ticket keys are, and whether its tickets are for one use.
enum TicketSource: String, CaseIterable, ExpressibleByArgument {
    case local, derived, singleUse = "single-use"

    var title: String {
        switch self {
        case .local: "local keys"
        case .derived: "derived keys"
        case .singleUse: "single use"
        }
    }

    var contender: Contender {
        Contender(
            id: self == .local ? Stack.secureSockets.rawValue : self.rawValue, title: self.title,
            server: .ours(["serve", Stack.secureSockets.rawValue, "--tickets", self.rawValue]))
    }

    /// The server's keys; nil for its own.
    var keys: TicketKeys? {
        get throws {
            switch self {
            case .local: nil
            case .derived: try TicketKeys(derivedFrom: .init(Array(0..<48)))
            case .singleUse: TicketKeys(singleUse: SingleUseTickets(store: RedisSessionStore(try BenchmarkRedis.client())))
            }
        }
    }
}

extension Suite {
    /// What resumed handshakes cost the server, and how long they take, by where the keys of its tickets are.
    static func sessionCases(_ options: MeasuringOptions) -> [Case] {
        let contenders = TicketSource.allCases.map(\.contender)
        let count = options.scaled(20_000)
        return [
            Case(name: "resumed handshakes", contenders: contenders, isForPeers: false, resumes: true) { bench in
                [Reading(figure: .handshakes, value: try await bench.handshakes(count).perCPUSecond)]
            },
            Case(name: "resumed handshake, 4 at a time", contenders: contenders, isForPeers: false, resumes: true) { bench in
                _ = try await bench.load.handshakes(50, concurrency: 4)
                let times = try await bench.load.handshakeTimes(count / 4, concurrency: 4).sorted()
                return [("p50", 50.0), ("p99", 99)].map { Reading(figure: .roundTrip($0), value: times.percentile($1)) }
            },
            Case(name: "a session in Redis", contenders: [TicketSource.singleUse.contender], isForPeers: false) { bench in
                let before = try await BenchmarkRedis.usage()
                _ = try await bench.load.handshakes(count, concurrency: 16)
                let after = try await BenchmarkRedis.usage()
                let each = Double(after.memory - before.memory) / Double(max(after.keys - before.keys, 1))
                return [Reading(figure: .storeMemory, value: each)]
            },
        ]
    }
}

/// The Redis server of the suite, which its processes find by the environment.
enum BenchmarkRedis {
    private static let variable = "BENCHMARK_REDIS_PORT"

    /// Runs `body` with a server of Redis, which ends with it.
    static func run(_ body: () async throws -> Void) async throws {
        let port = try self.freePort()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // Threads of Dispatch block SIGTERM, and so does what they start.
        defer { kill(process.processIdentifier, SIGKILL) }
        setenv(self.variable, "\(port)", 1)
        let client = try self.client()
        for _ in 1...100 where (try? await client.send(RedisCommand("PING"))) == nil {
            guard process.isRunning else { throw BenchmarkError("redis-server did not start; is it installed?") }
            try await Task.sleep(for: .milliseconds(50))
        }
        await client.close()
        try await body()
    }

    static func client() throws -> RedisClient {
        guard let port = ProcessInfo.processInfo.environment[self.variable].flatMap({ Int($0) }) else {
            throw BenchmarkError("\(self.variable) is not set; run: benchmark sessions")
        }
        var configuration = RedisConfiguration(host: "127.0.0.1", port: port)
        configuration.maximumBackoff = .milliseconds(200)
        return try RedisClient(configuration)
    }

    /// The memory that the server uses, in bytes, and the number of its keys.
    static func usage() async throws -> (memory: Int, keys: Int) {
        let client = try self.client()
        let information = try await client.send(RedisCommand("INFO", "memory")).string ?? ""
        let keys = try await client.send(RedisCommand("DBSIZE")).integer ?? 0
        await client.close()
        let line = information.split(whereSeparator: \.isNewline).first { $0.hasPrefix("used_memory:") }
        return (line.flatMap { Int($0.dropFirst("used_memory:".count)) } ?? 0, keys)
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 ? getsockname(descriptor, address, &length) : -1
            }
        }
        guard result == 0 else { throw BenchmarkError("there is no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

extension Load {
    /// How long each of these connections took with one byte there and back, in microseconds.
    func handshakeTimes(_ count: Int, concurrency: Int) async throws -> [Double] {
        try await withThrowingTaskGroup(of: [Double].self) { group in
            for worker in 0..<concurrency {
                group.addTask {
                    var times: [Double] = []
                    for _ in stride(from: worker, to: count, by: concurrency) {
                        times.append(
                            try await Self.timed(units: 1) { _ = try await self.handshakes(1, concurrency: 1) }.seconds * 1e6)
                    }
                    return times
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }
}

extension Figure {
    static let storeMemory = Figure(name: "store memory", unit: "bytes of Redis's memory each", lowerIsBetter: true)
}
