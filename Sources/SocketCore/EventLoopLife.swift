/// The life cycle of an event loop: what it accepts, and when its thread ends.
///
/// Events arrive as method calls and decisions are returned as values; the loop performs them.
///
///     event ↓          state →   running              stopping                          ending          ended
///     stop                       stopping             nothing                           nothing         nothing
///     nextRound                  run                  run ¹, or end                     end             end
///     threadEnds                 ending               ending                            nothing         nothing
///     end                                                                               ended
///
///     question ↓       state →   running              stopping                          ending          ended
///     a descriptor               registered           refused                           refused         refused
///     waiting for events         until the next one   not at all                        not at all      not at all
///     a scheduled task           kept                 kept                              abandoned       abandoned
///     a timer of a connection    kept                 kept                              kept            kept, on the queue ²
///
/// ¹ While there is work, for at most `roundsOfStopping` rounds: tasks that enqueue themselves again would keep the thread forever. The
///   rest runs after the end.
/// ² A loop that has ended has neither descriptors nor a thread. Its remaining work runs on a dispatch queue of its own.
package enum EventLoopLife: Sendable, Equatable {
    case running
    /// The descriptors are closed.
    case stopping(roundsLeft: Int)
    /// The thread runs no more rounds, or there is no thread. The descriptors and timers are released.
    case ending
    case ended

    package enum StopDecision: Equatable {
        case closeDescriptors
        case nothing
    }

    package enum Round: Equatable {
        case run
        /// There are no more rounds.
        case end
    }

    package static var roundsOfStopping: Int { 64 }

    /// Requests that the loop stop.
    package mutating func stop() -> StopDecision {
        switch self {
        case .running:
            self = .stopping(roundsLeft: Self.roundsOfStopping)
            return .closeDescriptors
        case .stopping, .ending, .ended: return .nothing
        }
    }

    /// Decides whether the thread runs another round.
    package mutating func nextRound(hasWork: Bool) -> Round {
        switch self {
        case .running: return .run
        case .stopping(let roundsLeft):
            guard hasWork, roundsLeft > 0 else { return .end }
            self = .stopping(roundsLeft: roundsLeft - 1)
            return .run
        case .ending, .ended: return .end
        }
    }

    /// Records that the thread runs no more rounds, or could not be started.
    package mutating func threadEnds() -> StopDecision {
        switch self {
        case .running, .stopping:
            self = .ending
            return .closeDescriptors
        case .ending, .ended: return .nothing
        }
    }

    /// Records that all resources have been released.
    package mutating func end() {
        if self == .ending { self = .ended }
    }

    package var acceptsScheduledTasks: Bool {
        switch self {
        case .running, .stopping: true
        case .ending, .ended: false
        }
    }

    package var hasEnded: Bool { self == .ended }
}
