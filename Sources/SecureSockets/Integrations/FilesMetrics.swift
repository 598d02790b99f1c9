#if MetricsSupport
    import CoreMetrics

    /// The metrics of files that are followed. ``TLSFiles/follow(every:startingFrom:logger:report:_:)`` lists them.
    struct FilesMetrics {
        private let dimensions: [(String, String)]
        private let factory: any MetricsFactory
        private let unusable: Meter
        /// Bounded by the number of kinds.
        private var events: [TLSFiles.Event.Kind: Counter] = [:]

        /// - Parameter files: The paths.
        init(of files: String, factory: any MetricsFactory = MetricsSystem.factory) {
            self.dimensions = [("files", files)]
            self.factory = factory
            self.unusable = Meter(label: "securesockets_files_unusable", dimensions: self.dimensions, factory: factory)
            self.unusable.set(0)
        }

        mutating func report(_ kind: TLSFiles.Event.Kind) {
            let counter =
                self.events[kind]
                ?? Counter(
                    label: "securesockets_file_events_total", dimensions: self.dimensions + [("event", kind.description)],
                    factory: self.factory)
            self.events[kind] = counter
            counter.increment()
            switch kind {
            case .failed, .partiallyLoaded, .updateFailed: self.unusable.set(1)
            case .loaded, .recovered: self.unusable.set(0)
            default: break
            }
        }
    }
#endif
