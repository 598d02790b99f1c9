import SecureSockets

/// What a round has to work with: fresh servers of one contender and the load on them.
struct Bench {
    let load: Load
    let servers: Servers
    let measuredClient: ClientProcess?

    /// The client that is measured, in cases of clients.
    var client: ClientProcess {
        get throws {
            guard let measuredClient else { throw BenchmarkError("there is no client to be measured") }
            return measuredClient
        }
    }

    /// What the servers spend on what the load does.
    func cost(_ work: (Load) async throws -> Work) async throws -> Cost {
        let before = try self.servers.usage().cpuSeconds
        let done = try await work(self.load)
        return Cost(work: done, cpuSeconds: max(try self.servers.usage().cpuSeconds - before, 1e-9))
    }

    /// What the servers spend on handshakes.
    func handshakes(_ count: Int) async throws -> Cost {
        _ = try await self.load.handshakes(50, concurrency: 4)
        return try await self.cost { try await $0.handshakes(count, concurrency: 16) }
    }

    /// What the servers spend on echoes over new connections, without the handshakes.
    func echo(_ count: Int, size: Int, connections: Int) async throws -> Cost {
        let sockets = try await self.load.open(connections)
        let cost = try await self.echo(count, size: size, on: sockets)
        await self.load.close(sockets)
        return cost
    }

    /// What the servers spend on echoes over these connections.
    func echo(_ count: Int, size: Int, on sockets: [SecureSocket]) async throws -> Cost {
        let each = max(count / sockets.count, 1)
        _ = try await self.load.echo(size, times: max(each / 10, 1), on: sockets)
        return try await self.cost { try await $0.echo(size, times: each, on: sockets) }
    }
}

/// What servers have spent on some work.
struct Cost {
    let work: Work
    let cpuSeconds: Double

    var perCPUSecond: Double { Double(self.work.units) / self.cpuSeconds }
    var perWallSecond: Double { Double(self.work.units) / self.work.seconds }
    var microsecondsEach: Double { self.cpuSeconds / Double(self.work.units) * 1e6 }
    var cores: Double { self.cpuSeconds / self.work.seconds }
}
