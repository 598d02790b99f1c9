import SocketCore
import Testing

/// Contents are characters here.
@Suite struct `What is done about files that change` {
    private typealias Follower = FileFollower<Character>

    /// Finds this content twice, as two polls do.
    private func settle(_ follower: inout Follower, on content: Character) {
        #expect(follower.found(content) == .readAgain)
        #expect(follower.found(content) == .load)
    }

    @Test func `nothing while the content in use is found`() {
        var follower = Follower(inUse: "a")
        for _ in 0..<10 { #expect(follower.found("a") == .nothing) }
    }

    @Test func `new content is read again, and offered if it is the same`() {
        var follower = Follower(inUse: "a")
        self.settle(&follower, on: "b")
        #expect(follower.accepted() == [.loaded])
        #expect(follower.found("b") == .nothing)
    }

    @Test func `the first content is treated as new`() {
        var follower = Follower(inUse: nil)
        self.settle(&follower, on: "a")
        #expect(follower.accepted() == [.loaded])
        #expect(follower.found("a") == .nothing)
    }

    @Test func `content that is gone when it is read again was never there`() {
        var follower = Follower(inUse: "a")
        for _ in 0..<10 {
            #expect(follower.found("b") == .readAgain)
            #expect(follower.found("a") == .nothing)
        }
    }

    @Test func `content that changes all the time is loaded nevertheless`() {
        var follower = Follower(inUse: "a")
        for content in "bcd" { #expect(follower.found(content) == .readAgain) }
        for content in "efg" { #expect(follower.found(content) == .load) }
        #expect(follower.found("g") == .load)
        // It has been the same twice, so the next change is read again first.
        #expect(follower.found("h") == .readAgain)
    }

    @Test func `the third failure is reported, and then no more`() {
        var follower = Follower(inUse: "a")
        self.settle(&follower, on: "b")
        #expect(follower.failedToLoad() == .retrying)
        #expect(follower.found("b") == .load)
        #expect(follower.failedToLoad() == nil)
        #expect(follower.found("b") == .load)
        #expect(follower.failedToLoad() == .failed)
        // Time may cure the problem, which is looked at again now and then.
        for _ in 0..<2 {
            for _ in 1..<Follower.pollsBetweenRetries { #expect(follower.found("b") == .nothing) }
            #expect(follower.found("b") == .load)
            #expect(follower.failedToLoad() == nil)
        }
        for _ in 1..<Follower.pollsBetweenRetries { #expect(follower.found("b") == .nothing) }
        #expect(follower.found("b") == .load)
        #expect(follower.accepted() == [.recovered, .loaded])
    }

    @Test func `a part is offered after the third failure, and at once after further changes`() {
        var follower = Follower(inUse: "a")
        self.settle(&follower, on: "b")
        #expect(follower.failedToLoad() == .retrying)
        #expect(!follower.offersPart)
        #expect(follower.found("b") == .load)
        #expect(follower.failedToLoad() == nil)
        #expect(!follower.offersPart)
        #expect(follower.found("b") == .load)
        #expect(follower.failedToLoad() == .failed)
        #expect(follower.offersPart)
        #expect(follower.refusedPartially() == .refused)
        #expect(follower.refusedPartially() == nil)

        self.settle(&follower, on: "c")
        #expect(follower.failedToLoad() == .retrying)
        #expect(follower.offersPart)
        #expect(follower.refusedPartially() == .refused)
        #expect(follower.acceptedPartially() == .partiallyLoaded)
        #expect(follower.found("c") == .load)
        #expect(follower.accepted() == [.recovered, .loaded])
        #expect(!follower.offersPart)
    }

    @Test func `after a part of a content was used, the content before is loaded again if it returns`() {
        var follower = self.failing(on: "b")
        #expect(follower.acceptedPartially() == .partiallyLoaded)
        #expect(follower.found("b") == .nothing)
        self.settle(&follower, on: "a")
        #expect(follower.accepted() == [.recovered, .loaded])
        #expect(follower.found("a") == .nothing)
    }

    @Test func `failures of different contents count together`() {
        var follower = Follower(inUse: "a")
        self.settle(&follower, on: "b")
        #expect(follower.failedToLoad() == .retrying)
        self.settle(&follower, on: "c")
        #expect(follower.failedToLoad() == nil)
        self.settle(&follower, on: "d")
        #expect(follower.failedToLoad() == .failed)
    }

    @Test func `other content after a reported failure is tried again before it is reported`() {
        var follower = self.failing(on: "b")
        self.settle(&follower, on: "c")
        #expect(follower.failedToLoad() == .retrying)
        #expect(follower.found("c") == .load)
        #expect(follower.failedToLoad() == nil)
        #expect(follower.found("c") == .load)
        #expect(follower.failedToLoad() == .failed)
    }

    @Test func `the end of a failure is reported, with new content and with the content in use`() {
        var replaced = self.failing(on: "b")
        self.settle(&replaced, on: "c")
        #expect(replaced.accepted() == [.recovered, .loaded])
        #expect(replaced.found("c") == .nothing)

        var restored = self.failing(on: "b")
        #expect(restored.found("a") == .recovered)
        #expect(restored.found("a") == .nothing)
    }

    @Test func `a failure that was not reported as one is reported to be over too`() {
        var follower = Follower(inUse: "a")
        self.settle(&follower, on: "b")
        #expect(follower.failedToLoad() == .retrying)
        #expect(follower.found("a") == .recovered)
        self.settle(&follower, on: "b")
        #expect(follower.failedToLoad() == .retrying)
        self.settle(&follower, on: "c")
        #expect(follower.accepted() == [.recovered, .loaded])
    }

    @Test func `refused content is offered at every poll, and reported once`() {
        var follower = Follower(inUse: "a")
        self.settle(&follower, on: "b")
        #expect(follower.refused() == .refused)
        for _ in 0..<5 {
            #expect(follower.found("b") == .load)
            #expect(follower.refused() == nil)
        }
        #expect(follower.found("b") == .load)
        #expect(follower.accepted() == [.recovered, .loaded])
    }

    @Test func `other content after a refusal is reported if it is refused too`() {
        var follower = Follower(inUse: "a")
        self.settle(&follower, on: "b")
        #expect(follower.refused() == .refused)
        self.settle(&follower, on: "c")
        #expect(follower.refused() == .refused)
        #expect(follower.found("a") == .recovered)
    }

    @Test func `a refusal may be followed by a failure, and the reverse`() {
        var follower = Follower(inUse: "a")
        self.settle(&follower, on: "b")
        #expect(follower.refused() == .refused)
        self.settle(&follower, on: "c")
        #expect(follower.failedToLoad() == .retrying)
        self.settle(&follower, on: "b")
        #expect(follower.refused() == .refused)
        #expect(follower.found("b") == .load)
        #expect(follower.accepted() == [.recovered, .loaded])
    }

    /// A follower of files whose content `a` is in use and whose present content cannot be loaded.
    private func failing(on content: Character) -> Follower {
        var follower = Follower(inUse: "a")
        self.settle(&follower, on: content)
        #expect(follower.failedToLoad() == .retrying)
        for expected in [nil, FileReport.failed] {
            #expect(follower.found(content) == .load)
            #expect(follower.failedToLoad() == expected)
        }
        return follower
    }
}
