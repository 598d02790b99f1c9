/// What is reported about files that are followed.
package enum FileReport: Sendable, Equatable {
    case loaded, refused, retrying, failed, partiallyLoaded, recovered
}

/// Decides what is done about files whose content changes while a program runs: when they are read again, when a problem is reported, and
/// which content is offered to the program.
///
/// Events arrive as method calls and decisions are returned as values. The content of all files together is one value, usually a digest,
/// which also stands for files that cannot be read. Each poll begins with `found`.
///
///     event ↓            state →   settled       refused        retrying                     failing
///     found: in use                nothing       recovered      recovered                    recovered
///     found: not as before ¹       read again    read again     read again                   read again
///     found: as before             load          load ²         load                         load, or nothing ⁵
///     failedToLoad                 retrying      retrying       nothing, or failed ³         retrying; nothing if reported
///     acceptedPartially            -             -              partially loaded ⁴           partially loaded ⁴
///     accepted                     loaded        recovered,     recovered,                   recovered,
///                                                loaded         loaded                       loaded
///     refused                      refused       refused, or    refused                      refused
///                                                nothing ²
///
/// `recovered`, with or without `loaded`, leads to `settled`; `partially loaded` leads to no other state; every other report leads to the state
/// of its name.
///
/// ¹ New content must be found twice in succession, because a file that is being written is incomplete, and files that are replaced one by
///   one do not belong together. A single digest of all files, found twice, was their content at every moment between the two polls, unless
///   it changed and changed back. After `mostReadings` different contents in succession, the next one is loaded nevertheless, so that files
///   that change all the time do not go unnoticed.
/// ² The program is offered the same content at every poll until it accepts it, because its reason may be temporary. Only the first refusal
///   of a content is reported.
/// ³ Files that do not fit each other, or are incomplete, may be in the course of being replaced. The third failure in succession is
///   reported, whether or not the content changed between them.
/// ⁴ After the first reported failure, what can be used of a content is offered to the program at once (`offersPart`). No content is in use
///   as a whole then, so that the content before is loaded if it is found again. A refused part is reported once for each content.
/// ⁵ Content that has been reported is loaded again at every sixth poll, because time may cure its problem: a certificate or an OCSP response
///   can become valid, and the program may accept a part later.
package struct FileFollower<Content: Equatable & Sendable>: Sendable {
    private enum State {
        /// No problem has been noticed since the content in use was accepted.
        case settled
        /// The program refused this content.
        case refused(Content)
        /// The files could not be loaded the last few times. `hasFailed`: a failure of another content has been reported before.
        case retrying(failures: Int, hasFailed: Bool)
        /// The files cannot be loaded, and this has been reported for this content.
        case failing(Content, polls: Int)
    }

    package enum Finding: Equatable {
        /// The next poll is due after the usual time.
        case nothing
        /// Report that the files have their earlier content again, which is in use.
        case recovered
        /// Poll again soon.
        case readAgain
        /// Load the content, then call `failedToLoad`, or offer it to the program and call `accepted` or `refused`.
        case load
    }

    /// The number of failures to load, in succession, of which the last is reported.
    package static var failuresUntilReport: Int { 3 }
    /// The number of different contents in succession that are read without being loaded.
    package static var mostReadings: Int { 3 }
    /// The number of polls after which content that has been reported is loaded again.
    package static var pollsBetweenRetries: Int { 6 }

    private var state = State.settled
    private var inUse: Content?
    /// The content found by the last poll, if it is not the one in use.
    private var latest: Content?
    private var readings = 0
    /// The content of which the program has refused a part.
    private var refusedPart: Content?

    /// - Parameter inUse: The content that the program has loaded already.
    package init(inUse: Content?) { self.inUse = inUse }

    package mutating func found(_ content: Content) -> Finding {
        if content == self.inUse {
            self.latest = nil
            self.readings = 0
            if case .settled = self.state { return .nothing }
            self.state = .settled
            return .recovered
        }
        if content == self.latest {
            self.readings = 0
        } else {
            self.latest = content
            if self.readings < Self.mostReadings {
                self.readings += 1
                return .readAgain
            }
        }
        if case .failing(content, let polls) = self.state {
            self.state = .failing(content, polls: polls + 1)
            return (polls + 1).isMultiple(of: Self.pollsBetweenRetries) ? .load : .nothing
        }
        return .load
    }

    /// Whether what can be used of the content that was found last is to be offered to the program.
    package var offersPart: Bool {
        switch self.state {
        case .failing: true
        case .retrying(_, let hasFailed): hasFailed
        case .settled, .refused: false
        }
    }

    /// Records that the content that was found last cannot be loaded.
    package mutating func failedToLoad() -> FileReport? {
        guard let latest = self.latest else { return nil }
        switch self.state {
        case .failing(latest, _): return nil
        case .settled, .refused, .failing:
            self.state = .retrying(failures: 1, hasFailed: self.offersPart)
            return .retrying
        case .retrying(let failures, let hasFailed):
            guard failures + 1 >= Self.failuresUntilReport else {
                self.state = .retrying(failures: failures + 1, hasFailed: hasFailed)
                return nil
            }
            self.state = .failing(latest, polls: 0)
            return .failed
        }
    }

    /// Records that the program uses a part of the content that was found last, which cannot be loaded as a whole.
    package mutating func acceptedPartially() -> FileReport {
        self.inUse = nil
        self.refusedPart = nil
        return .partiallyLoaded
    }

    /// Records that the program did not accept the part of the content that was found last.
    package mutating func refusedPartially() -> FileReport? {
        guard let latest = self.latest, latest != self.refusedPart else { return nil }
        self.refusedPart = latest
        return .refused
    }

    /// Records that the program uses the content that was found last.
    package mutating func accepted() -> [FileReport] {
        self.inUse = self.latest
        self.latest = nil
        defer { self.state = .settled }
        if case .settled = self.state { return [.loaded] }
        return [.recovered, .loaded]
    }

    /// Records that the program did not accept the content that was found last.
    package mutating func refused() -> FileReport? {
        guard let latest = self.latest else { return nil }
        if case .refused(latest) = self.state { return nil }
        self.state = .refused(latest)
        return .refused
    }
}
