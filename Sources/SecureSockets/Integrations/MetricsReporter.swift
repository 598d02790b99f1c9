#if MetricsSupport
    public import CoreMetrics

    #if canImport(Darwin)
        import Darwin
    #elseif canImport(Musl)
        import Musl
    #elseif canImport(Android)
        import Android
    #else
        import Glibc
    #endif

    extension SecureListener {
        /// Reports ``statistics`` to swift-metrics at regular intervals, until the task is cancelled or the listener has ended.
        ///
        /// Available with the package trait `MetricsSupport`. The statistics are sampled, so that connections bear no cost. The function
        /// reports for the first time at once, and for the last time when it ends: when the listener is closed and all connections of
        /// ``serve(maximumConnections:handshakeFailed:_:)`` have ended, or when the task is **cancelled**. The metrics keep their last
        /// values then.
        ///
        /// | Metric | Kind | Dimension |
        /// |---|---|---|
        /// | `securesockets_handshakes_total` | counter | `outcome`: `completed`, or the ``SecureSocketError/Code`` of the failure |
        /// | `securesockets_sessions_total` | counter of completed handshakes | `resumption`: `resumed`, `declined` or `not_offered` |
        /// | `securesockets_full_handshakes_total` | counter of completed handshakes | `reason`: the ``FullHandshakeReason`` |
        /// | `securesockets_refused_certificates_total` | counter of failed handshakes | `problem`: the ``CertificateProblem/Kind`` |
        /// | `securesockets_received_alerts_total` | counter of failed handshakes | `alert`: the ``TLSAlert`` |
        /// | `securesockets_refused_open_connections_total` | counter | |
        /// | `securesockets_displaced_handshakes_total` | counter | |
        /// | `securesockets_received_bytes_total`, `securesockets_sent_bytes_total` | counter | |
        /// | `securesockets_handshakes_in_progress` | meter | |
        /// | `securesockets_open_connections`, `securesockets_lingering_connections` | meter | |
        /// | `securesockets_configuration_generation` | meter | |
        /// | `securesockets_certificate_expiry_days` | meter; negative if the certificate has expired | `subject` |
        /// | `securesockets_revocation_list_expiry_days`, `securesockets_ocsp_response_expiry_days` | meter; exists if there are any | |
        ///
        /// ``ListenerStatistics`` describes the values. Certificates with the same subject share a metric, which has the earliest end of
        /// validity; the first 256 subjects are reported. The subject of a certificate without one is its first alternative name. The
        /// metric of a certificate that an update removed is destroyed. If a program has several listeners, each needs a dimension of its
        /// own.
        ///
        /// - Parameters:
        ///   - interval: The time between two reports, at least one millisecond. Default: 10 seconds.
        ///   - dimensions: Dimensions that are added to every metric, for example `[("listener", "api")]`. Default: none.
        ///   - factory: The factory that creates the metrics. Default: the one with which `MetricsSystem` was bootstrapped.
        public func reportMetrics(
            every interval: Duration = .seconds(10),
            dimensions: [(String, String)] = [],
            factory: any MetricsFactory = MetricsSystem.factory
        ) async {
            let interval = max(interval, .milliseconds(1))
            var first = MetricsReporter(dimensions: dimensions, factory: factory)
            first.report(self.statistics, at: MetricsReporter.currentTime)
            var last = await withTaskGroup(of: MetricsReporter?.self) { [first] group in
                let acceptor = self.acceptor
                group.addTask {
                    await acceptor.waitUntilEndOrCancelled()
                    return nil
                }
                group.addTask {
                    var reporter = first
                    while (try? await Task.sleep(for: interval)) != nil {
                        reporter.report(self.statistics, at: MetricsReporter.currentTime)
                    }
                    return reporter
                }
                var reporter = first
                for await present in group {
                    group.cancelAll()
                    if let present { reporter = present }
                }
                return reporter
            }
            last.report(self.statistics, at: MetricsReporter.currentTime)
        }
    }

    extension LiveServerConfiguration {
        /// Reports ``statistics`` to swift-metrics at regular intervals, until the task is cancelled: for upgraded sockets and for channels.
        ///
        /// Available with the package trait `MetricsSupport`. The metrics are those of ``SecureListener/reportMetrics(every:dimensions:factory:)``;
        /// bytes, lingering connections and displaced handshakes remain 0. The function reports for the first time at once, and for the last time when the task is **cancelled**.
        ///
        /// - Parameters:
        ///   - interval: The time between two reports, at least one millisecond. Default: 10 seconds.
        ///   - dimensions: Dimensions that are added to every metric. Default: none.
        ///   - factory: The factory that creates the metrics. Default: the one with which `MetricsSystem` was bootstrapped.
        public func reportMetrics(
            every interval: Duration = .seconds(10),
            dimensions: [(String, String)] = [],
            factory: any MetricsFactory = MetricsSystem.factory
        ) async {
            var reporter = MetricsReporter(dimensions: dimensions, factory: factory)
            repeat {
                reporter.report(self.statistics, at: MetricsReporter.currentTime)
            } while (try? await Task.sleep(for: max(interval, .milliseconds(1)))) != nil
            reporter.report(self.statistics, at: MetricsReporter.currentTime)
        }
    }

    /// Passes the statistics of a listener to swift-metrics. ``SecureListener/reportMetrics(every:dimensions:factory:)`` lists the metrics.
    struct MetricsReporter: Sendable {
        /// The maximum number of meters for certificates. A listener may have more identities.
        static let mostCertificates = 256

        /// The current time in seconds since 1970-01-01 UTC.
        static var currentTime: Int64 { Int64(time(nil)) }

        private let dimensions: [(String, String)]
        private let factory: any MetricsFactory
        private var last = ListenerStatistics()
        private let completed: Counter
        /// Those with a dimension, by name and value. Bounded by the numbers of error codes, reasons, problems and alerts.
        private var byDimension: [[String]: Counter] = [:]
        private let resumed: Counter
        private let declined: Counter
        private let notOffered: Counter
        private let displaced: Counter
        private let ended: Counter
        private let receivedBytes: Counter
        private let sentBytes: Counter
        private let handshakesInProgress: Meter
        private let openConnections: Meter
        private let lingeringConnections: Meter
        private let generation: Meter
        /// Of revocation lists and OCSP responses, by name.
        private var updates: [String: Meter] = [:]
        /// By subject; at most `mostCertificates`.
        private var expiry: [String: Meter] = [:]

        init(dimensions: [(String, String)], factory: any MetricsFactory) {
            func counter(_ name: String, _ own: (String, String)...) -> Counter {
                Counter(label: "securesockets_\(name)", dimensions: dimensions + own, factory: factory)
            }
            func meter(_ name: String) -> Meter {
                Meter(label: "securesockets_\(name)", dimensions: dimensions, factory: factory)
            }
            self.dimensions = dimensions
            self.factory = factory
            self.completed = counter("handshakes_total", ("outcome", "completed"))
            self.resumed = counter("sessions_total", ("resumption", "resumed"))
            self.declined = counter("sessions_total", ("resumption", "declined"))
            self.notOffered = counter("sessions_total", ("resumption", "not_offered"))
            self.displaced = counter("displaced_handshakes_total")
            self.ended = counter("refused_open_connections_total")
            self.receivedBytes = counter("received_bytes_total")
            self.sentBytes = counter("sent_bytes_total")
            self.handshakesInProgress = meter("handshakes_in_progress")
            self.openConnections = meter("open_connections")
            self.lingeringConnections = meter("lingering_connections")
            self.generation = meter("configuration_generation")
        }

        /// Reports the present statistics.
        ///
        /// - Parameter time: The current time in seconds since 1970-01-01 UTC.
        mutating func report(_ statistics: ListenerStatistics, at time: Int64) {
            func increase(_ counter: Counter, _ value: (ListenerStatistics) -> Int) {
                counter.increment(by: max(value(statistics) - value(self.last), 0))
            }
            increase(self.completed) { $0.completedHandshakes }
            func increase<Key>(_ name: String, _ dimension: String, _ counts: (ListenerStatistics) -> [Key: Int]) {
                for key in counts(statistics).keys {
                    increase(self.counter(name, dimension, "\(key)")) { counts($0)[key] ?? 0 }
                }
            }
            increase("handshakes_total", "outcome", \.failedHandshakes)
            increase("full_handshakes_total", "reason", \.fullHandshakes)
            increase("refused_certificates_total", "problem", \.refusedCertificates)
            increase("received_alerts_total", "alert", \.receivedAlerts)
            increase(self.ended) { $0.refusedOpenConnections }
            increase(self.resumed) { $0.resumedHandshakes }
            increase(self.declined) { $0.declinedSessions }
            increase(self.notOffered) { $0.completedHandshakes - $0.resumedHandshakes - $0.declinedSessions }
            increase(self.displaced) { $0.displacedHandshakes }
            increase(self.receivedBytes) { $0.receivedBytes }
            increase(self.sentBytes) { $0.sentBytes }
            self.handshakesInProgress.set(statistics.handshakesInProgress)
            self.openConnections.set(statistics.openConnections)
            self.lingeringConnections.set(statistics.lingeringConnections)
            self.generation.set(statistics.configurationGeneration)
            self.reportExpiry(of: statistics.certificates, at: time)
            self.report(statistics.revocationListsNextUpdate, as: "revocation_list_expiry_days", at: time)
            self.report(statistics.ocspResponsesNextUpdate, as: "ocsp_response_expiry_days", at: time)
            self.last = statistics
        }

        private mutating func counter(_ name: String, _ dimension: String, _ value: String) -> Counter {
            if let counter = self.byDimension[[name, value]] { return counter }
            let counter = Counter(
                label: "securesockets_\(name)", dimensions: self.dimensions + [(dimension, value)], factory: self.factory)
            self.byDimension[[name, value]] = counter
            return counter
        }

        /// Reports the days until a time, as a meter that exists only if there is such a time.
        private mutating func report(_ end: Int64?, as name: String, at time: Int64) {
            guard let end else {
                self.updates.removeValue(forKey: name)?.destroy()
                return
            }
            let meter =
                self.updates[name] ?? Meter(label: "securesockets_\(name)", dimensions: self.dimensions, factory: self.factory)
            self.updates[name] = meter
            meter.set(Double(end - time) / 86_400)
        }

        private mutating func reportExpiry(of certificates: [TLSCertificate], at time: Int64) {
            var ends: [String: Int64] = [:]
            for certificate in certificates {
                guard let end = certificate.notAfter else { continue }
                let subject = certificate.metricSubject
                guard ends[subject] != nil || ends.count < Self.mostCertificates else { continue }
                ends[subject] = min(ends[subject] ?? end, end)
            }
            for (subject, meter) in self.expiry where ends[subject] == nil {
                meter.destroy()
                self.expiry[subject] = nil
            }
            for (subject, end) in ends {
                let meter =
                    self.expiry[subject]
                    ?? Meter(
                        label: "securesockets_certificate_expiry_days", dimensions: self.dimensions + [("subject", subject)],
                        factory: self.factory)
                self.expiry[subject] = meter
                meter.set(Double(end - time) / 86_400)
            }
        }
    }

    extension TLSCertificate {
        /// The subject; the first alternative name if it is empty, as it is in certificates that have alternative names only.
        fileprivate var metricSubject: String {
            if !self.subject.isEmpty { return self.subject }
            return self.alternativeNames.first?.value ?? self.sha256Fingerprint
        }
    }
#endif
