#if MetricsSupport
    import CoreMetrics
    import DevelopmentCertificates
    import MetricsTestKit
    import SecureSockets
    import SecureSocketsTesting
    import TestSupport
    import Testing

    /// The metrics of `TLSFiles.follow`.
    @Suite(.timeLimit(.minutes(5))) struct `The metrics of files that are followed` {
        /// The metrics of the process, which can be set once.
        private static let metrics: TestMetrics = {
            let metrics = TestMetrics()
            MetricsSystem.bootstrap(metrics)
            return metrics
        }()

        @Test func `count events, and say whether the files are unusable`() async throws {
            let metrics = Self.metrics
            let folder = try TemporaryDirectory()
            let authority = try DevelopmentAuthority()
            let first = try authority.server(names: ["first"])
            let chain = try folder.write(first.certificateChainPEM, to: "tls.crt")
            let key = try folder.write(first.privateKeyPEM, to: "tls.key")
            let files = TLSFiles(certificateChain: chain, privateKey: key)
            let snapshot = try files.load()
            let (kinds, report) = AsyncStream.makeStream(of: TLSFiles.Event.Kind.self)
            let following = Task {
                try await files.follow(
                    every: .milliseconds(100), startingFrom: snapshot, report: { report.yield($0.kind) }, { _ in })
            }
            func count(_ event: String) -> Int64? {
                try? metrics.expectCounter(
                    "securesockets_file_events_total", [("files", files.description), ("event", event)]
                ).totalValue
            }
            func unusable() throws -> Double? {
                try metrics.expectMeter("securesockets_files_unusable", [("files", files.description)]).lastValue
            }

            _ = try folder.write("no key", to: "tls.key")
            for await kind in kinds where kind == .failed { break }
            #expect(count("failed") == 1)
            #expect(try unusable() == 1)

            let second = try authority.server(names: ["second"])
            _ = try folder.write(second.certificateChainPEM, to: "tls.crt")
            _ = try folder.write(second.privateKeyPEM, to: "tls.key")
            for await kind in kinds where kind == .loaded { break }
            #expect(count("loaded") == 1)
            #expect(count("failed") == 1)
            #expect(try unusable() == 0)
            following.cancel()
            try await following.value
        }
    }
#endif
