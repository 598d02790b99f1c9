#if TracingSupport
    import Synchronization
    import Tracing

    /// A tracer whose spans do not record. It notes the calls of its one span.
    struct SilentTracer: Tracer {
        let span = Span()

        func startSpan<Instant: TracerInstant>(
            _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
            at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
        ) -> Span { self.span }

        func forceFlush() {}

        func inject<Carrier, Inject: Injector>(
            _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
        ) where Carrier == Inject.Carrier {}

        func extract<Carrier, Extract: Extractor>(
            _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
        ) where Carrier == Extract.Carrier {}

        final class Calls: Sendable {
            private let calls = Mutex<[String]>([])

            var all: [String] { self.calls.withLock { $0 } }

            func append(_ call: String) { self.calls.withLock { $0.append(call) } }
        }

        struct Span: Tracing.Span {
            let calls = Calls()
            let context = ServiceContext.topLevel
            let isRecording = false

            var operationName: String {
                get { "" }
                nonmutating set { self.calls.append("operationName") }
            }

            var attributes: SpanAttributes {
                get {
                    self.calls.append("attributes")
                    return [:]
                }
                nonmutating set { self.calls.append("set attributes") }
            }

            func setStatus(_ status: SpanStatus) { self.calls.append("setStatus") }

            func addEvent(_ event: SpanEvent) { self.calls.append("addEvent") }

            func addLink(_ link: SpanLink) { self.calls.append("addLink") }

            func recordError<Instant: TracerInstant>(
                _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
            ) { self.calls.append("recordError") }

            func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) { self.calls.append("end") }
        }
    }
#endif
