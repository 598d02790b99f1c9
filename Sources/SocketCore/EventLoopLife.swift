/// The life of an event loop: what it may still be given, and when its thread ends.
///
/// Events come in as method calls, decisions go out as values; the loop performs them.
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
/// ¹ While there is work, for at most `roundsOfStopping`: tasks that are executed again and again would keep the thread for ever. What is
///   left then runs after the end.
/// ² A loop that has ended has neither descriptors nor a thread. What is left with it runs on a queue of its own.
package enum EventLoopLife: Sendable, Equatable {
    case running
    /// The descriptors are closed.
    case stopping(roundsLeft: Int)
    /// The thread runs no more rounds, or there is none. The descriptors and the timers are given up.
    case ending
    case ended

    package enum StopDecision: Equatable {
        case closeDescriptors
        case nothing
    }

    package enum Round: Equatable {
        case run
        /// There are no more.
        case end
    }

    package static var roundsOfStopping: Int { 64 }

    /// The loop is asked to stop.
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

    /// The thread runs no more rounds, or could not be started.
    package mutating func threadEnds() -> StopDecision {
        switch self {
        case .running, .stopping:
            self = .ending
            return .closeDescriptors
        case .ending, .ended: return .nothing
        }
    }

    /// Everything has been given up.
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
