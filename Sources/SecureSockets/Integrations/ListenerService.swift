#if ServiceLifecycleSupport
    public import ServiceLifecycle

    extension SecureListener {
        /// Returns a service that serves this listener and shuts it down gracefully with its `ServiceGroup`.
        ///
        /// Available with the package trait `ServiceLifecycleSupport`.
        ///
        /// - Parameters:
        ///   - shutdownDeadline: The time that handlers may take after a graceful shutdown has begun; see ``shutDown(deadline:)``. Zero
        ///     cancels them at once. Default: 20 seconds. A group's `maximumGracefulShutdownDuration` should exceed it.
        ///   - maximumConnections: The maximum number of handlers that run at a time; see ``serve(maximumConnections:handshakeFailed:_:)``.
        ///   - handshakeFailed: A function that is called on an event loop for each failed handshake. Default: nil; failures are logged.
        ///   - handler: The function that handles a connection. Errors that it throws are logged.
        public func service(
            shutdownDeadline: Duration = .seconds(20),
            maximumConnections: Int = .max,
            handshakeFailed: (@Sendable (SecureSocketError, SocketEndpoint?) -> Void)? = nil,
            _ handler: @escaping @concurrent @Sendable (SecureSocket) async throws -> Void
        ) -> ListenerService {
            ListenerService(
                listener: self, shutdownDeadline: shutdownDeadline, maximumConnections: maximumConnections,
                handshakeFailed: handshakeFailed, handler: handler)
        }
    }

    /// A listener as a service of a `ServiceGroup`: ``SecureListener/service(shutdownDeadline:maximumConnections:handshakeFailed:_:)``.
    public struct ListenerService: Service {
        let listener: SecureListener
        let shutdownDeadline: Duration
        let maximumConnections: Int
        let handshakeFailed: (@Sendable (SecureSocketError, SocketEndpoint?) -> Void)?
        let handler: @concurrent @Sendable (SecureSocket) async throws -> Void

        /// Accepts connections and runs the handler for each, until the listener is closed and all handlers have returned.
        ///
        /// A graceful shutdown of the task calls ``SecureListener/shutDown(deadline:)``, and this function returns when that is complete.
        /// **Cancelling** the task cancels the handlers and drops handshakes; the function then returns without an error.
        ///
        /// - Throws: ``SecureSocketError`` as ``SecureListener/serve(maximumConnections:handshakeFailed:_:)`` does: `closed` if the
        ///   listener is already closed, unless a graceful shutdown has begun; `wrongMode` if the listener is served already.
        public func run() async throws(SecureSocketError) {
            // `serve` would fail with `closed` if the listener was closed before the shutdown that the task below announces.
            if Task.isShuttingDownGracefully { return await self.listener.shutDown(deadline: self.shutdownDeadline) }
            let outcome: Result<Void, SecureSocketError> = await withTaskGroup { group in
                group.addTask {
                    // Throws when this task is cancelled: `serve` has returned, or ends by its own cancellation.
                    guard (try? await gracefulShutdown()) != nil else { return }
                    await self.listener.shutDown(deadline: self.shutdownDeadline)
                }
                defer { group.cancelAll() }
                do throws(SecureSocketError) {
                    try await self.listener.serve(
                        maximumConnections: self.maximumConnections, handshakeFailed: self.handshakeFailed, self.handler)
                    return .success(())
                } catch {
                    return .failure(error)
                }
            }
            try outcome.get()
        }
    }
#endif
