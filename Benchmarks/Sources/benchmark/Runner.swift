import ArgumentParser

/// Measures cases in rounds, in which the contenders take turns.
struct Runner {
    let options: MeasuringOptions

    init(_ options: MeasuringOptions) { self.options = options }

    func run(_ suites: [Suite]) async throws {
        OpenFiles.raiseLimit()
        let cases = suites.flatMap { suite in suite.cases(self.options).map { "\(suite.rawValue): \($0.name)" } }
        if let only = self.options.only, !cases.contains(where: { $0.contains(only) }) {
            throw ValidationError("no case is called \(only); there are:\n  \(cases.joined(separator: "\n  "))")
        }
        let identity = try BenchmarkIdentity()
        var report = Report(self.options)
        let peers = self.options.peers.map(\.contender)
        for suite in suites {
            let cases = suite.cases(self.options).filter { self.isWanted($0, of: suite) }
            guard !cases.isEmpty else { continue }
            let table = Table(of: suite, self.options)
            table.begin()
            for measured in cases {
                let results = try await self.results(of: measured, suite, peers, identity, &report.negotiated)
                table.add(results)
                report.results += results
            }
            // What is there so far is kept if a later suite fails.
            if let file = self.options.json { try report.write(to: file) }
        }
        for contender in Stack.allCases.map(\.contender) + peers {
            if let negotiated = report.negotiated[contender.id] { Terminal.say("\(contender.title): \(negotiated)") }
        }
    }

    private func isWanted(_ measured: Case, of suite: Suite) -> Bool {
        self.options.only.map { "\(suite.rawValue): \(measured.name)".contains($0) } ?? true
    }

    private func results(
        of measured: Case, _ suite: Suite, _ peers: [Contender], _ identity: BenchmarkIdentity,
        _ negotiated: inout [String: String]
    ) async throws -> [Result] {
        var results: [Result] = []
        for _ in 0..<self.options.rounds {
            for contender in measured.contenders + (measured.isForPeers ? peers : []) {
                for reading in try await self.round(of: measured, contender, identity, &negotiated) {
                    let name = reading.name ?? measured.name
                    let known = results.firstIndex { $0.name == name && $0.figure == reading.figure.name }
                    if known == nil { results.append(Result(of: reading, named: name, in: measured, of: suite)) }
                    results[known ?? results.count - 1].add(reading.value, of: contender)
                }
            }
        }
        return results
    }

    private func round(
        of measured: Case, _ contender: Contender, _ identity: BenchmarkIdentity, _ negotiated: inout [String: String]
    ) async throws -> [Reading] {
        let servers = try await Servers(of: contender, for: measured, identity)
        defer { servers.stop() }
        let load = Load(
            port: servers.port, tls: measured.resumes ? identity.resumingClient : identity.client,
            header: contender.framing, echoesAtOnce: contender.echoesAtOnce)
        do {
            if negotiated[contender.id] == nil { negotiated[contender.id] = try await load.negotiated() }
            let client = contender.client.map {
                ClientProcess(command: $0, port: servers.port, certificate: identity.certificateFile)
            }
            return try await measured.measure(Bench(load: load, servers: servers, measuredClient: client))
        } catch {
            throw BenchmarkError("\(measured.name), \(contender.title): \(error)")
        }
    }
}
