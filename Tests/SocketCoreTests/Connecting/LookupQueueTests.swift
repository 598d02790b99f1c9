import SocketCore
import TestSupport
import Testing

@Suite struct `A queue of look-ups` {
    /// One domain may have two of the threads here, as many as one slow name occupies.
    private func queue(threads: Int = 8, waiting: Int = 8) -> LookupQueue {
        LookupQueue(limits: .init(threads: threads, waiting: waiting))
    }

    private func lookup(_ name: String, _ family: IPFamily = .v4) throws -> LookupQueue.Lookup {
        LookupQueue.Lookup(try HostName(name), family)
    }

    @Test func `starts a thread for a look-up, and wakes an idle one for the next`() throws {
        var queue = self.queue()
        #expect(try queue.ask(self.lookup("a.example"), 1) == .start(1))
        #expect(try queue.running[1] == self.lookup("a.example"))
        let (callers, next) = queue.finished(1)
        #expect(callers == [1])
        #expect(next == nil)
        #expect(queue.running[1] == nil)
        #expect(try queue.ask(self.lookup("b.example"), 2) == .wake(1))
        #expect(try queue.running[1] == self.lookup("b.example"))
        #expect(queue.threadCount == 1)
    }

    @Test func `shares a look-up among all who ask for it, in whatever case`() throws {
        var queue = self.queue()
        #expect(try queue.ask(self.lookup("a.example"), 1) == .start(1))
        #expect(try queue.ask(self.lookup("A.Example"), 2) == .wait)
        #expect(try queue.ask(self.lookup("a.example", .v6), 3) == .start(2))
        #expect(queue.finished(1).callers == [1, 2])
        #expect(queue.finished(2).callers == [3])
        // What has been answered is not remembered.
        #expect(try queue.ask(self.lookup("a.example"), 4) == .wake(2))
    }

    @Test func `gives a slow name one thread for each family, however many callers come and go`() throws {
        var queue = self.queue()
        for caller in 1...1000 as ClosedRange<UInt64> {
            _ = try queue.ask(self.lookup("slow.example", caller % 2 == 0 ? .v4 : .v6), caller)
            queue.leave(caller)
        }
        #expect(queue.threadCount == 2)
        #expect(queue.waiting.count == 0)
        #expect(queue.lookups.count == 0)
        #expect(try queue.ask(self.lookup("fast.test"), 1001) == .start(3))
    }

    @Test func `drops a look-up that waits when its last caller leaves`() throws {
        var queue = self.queue(threads: 1)
        #expect(try queue.ask(self.lookup("slow.example"), 1) == .start(1))
        #expect(try queue.ask(self.lookup("a.test"), 2) == .wait)
        #expect(try queue.ask(self.lookup("a.test"), 3) == .wait)
        #expect(try queue.ask(self.lookup("b.test"), 4) == .wait)
        queue.leave(2)
        #expect(queue.waiting.count == 2)
        queue.leave(3)
        #expect(queue.waiting.count == 1)
        let (callers, next) = queue.finished(1)
        #expect(callers == [1])
        #expect(try next == self.lookup("b.test"))
    }

    @Test func `keeps a look-up that runs although its callers have left, and drops its result`() throws {
        var queue = self.queue()
        #expect(try queue.ask(self.lookup("a.example"), 1) == .start(1))
        queue.leave(1)
        queue.leave(1)
        #expect(try queue.running[1] == self.lookup("a.example"))
        #expect(queue.finished(1).callers == [])
    }

    @Test func `gives the result of an abandoned look-up to those who ask meanwhile`() throws {
        var queue = self.queue()
        #expect(try queue.ask(self.lookup("a.example"), 1) == .start(1))
        queue.leave(1)
        #expect(try queue.ask(self.lookup("a.example"), 2) == .wait)
        #expect(queue.finished(1).callers == [2])
    }

    @Test func `lets the names of one domain have a quarter of the threads`() throws {
        var queue = self.queue(threads: 8)
        #expect(try queue.ask(self.lookup("a.slow.example"), 1) == .start(1))
        #expect(try queue.ask(self.lookup("b.slow.example"), 2) == .start(2))
        #expect(try queue.ask(self.lookup("c.slow.example"), 3) == .wait)
        #expect(try queue.ask(self.lookup("d.slow.example"), 4) == .wait)
        // An honest client's look-up starts at once.
        #expect(try queue.ask(self.lookup("example.org"), 5) == .start(3))
        // Its thread is not for the slow domain.
        #expect(queue.finished(3).next == nil)
        #expect(try queue.finished(1).next == self.lookup("c.slow.example"))
        #expect(try queue.ask(self.lookup("example.org"), 6) == .wake(3))
    }

    @Test func `lets the names of one domain have a quarter of the places to wait`() throws {
        var queue = self.queue(threads: 4, waiting: 8)
        #expect(try queue.ask(self.lookup("0.slow.example"), 0) == .start(1))
        #expect(try queue.ask(self.lookup("1.slow.example"), 1) == .wait)
        #expect(try queue.ask(self.lookup("2.slow.example"), 2) == .wait)
        #expect(try queue.ask(self.lookup("3.slow.example"), 3) == .reject(.domainFull("slow.example", waiting: 2)))
        // One that is shared needs no place of its own, and one that is dropped leaves its place.
        #expect(try queue.ask(self.lookup("2.slow.example"), 4) == .wait)
        queue.leave(1)
        #expect(try queue.ask(self.lookup("3.slow.example"), 5) == .wait)
        #expect(try queue.ask(self.lookup("example.org"), 6) == .start(2))
    }

    @Test func `rejects what is more than may wait, and keeps nothing of it`() throws {
        var queue = self.queue(threads: 1, waiting: 2)
        #expect(try queue.ask(self.lookup("a.test"), 1) == .start(1))
        #expect(try queue.ask(self.lookup("b.example"), 2) == .wait)
        #expect(try queue.ask(self.lookup("c.invalid"), 3) == .wait)
        #expect(try queue.ask(self.lookup("d.org"), 4) == .reject(.full(waiting: 2)))
        #expect(queue.lookups.count == 3)
        queue.leave(4)
        queue.leave(3)
        #expect(try queue.ask(self.lookup("d.org"), 5) == .wait)
    }

    @Test func `takes the longest waiting of the domains that have the fewest threads`() throws {
        // Seven domains have one thread each; the eighth is for one of those that wait.
        var queue = self.queue(threads: 8, waiting: 100)
        for index in 1...8 as ClosedRange<UInt64> {
            #expect(try queue.ask(self.lookup("slow\(index).example\(index)"), index) == .start(index))
        }
        #expect(try queue.ask(self.lookup("more.slow1.example1"), 11) == .wait)
        #expect(try queue.ask(self.lookup("more.slow2.example2"), 12) == .wait)
        #expect(try queue.ask(self.lookup("first.org"), 13) == .wait)
        #expect(try queue.ask(self.lookup("second.org"), 14) == .wait)
        #expect(try queue.finished(8).next == self.lookup("first.org"))
        #expect(try queue.finished(8).next == self.lookup("second.org"))
        #expect(try queue.finished(8).next == self.lookup("more.slow1.example1"))
        #expect(try queue.finished(8).next == self.lookup("more.slow2.example2"))
        #expect(queue.finished(8).next == nil)
    }

    @Test func `wakes the thread that became idle last, and ends one that was idle for a while`() throws {
        var queue = self.queue()
        #expect(try queue.ask(self.lookup("a.example"), 1) == .start(1))
        #expect(try queue.ask(self.lookup("b.example"), 2) == .start(2))
        _ = queue.finished(1)
        _ = queue.finished(2)
        #expect(try queue.ask(self.lookup("c.example"), 3) == .wake(2))
        #expect(queue.idleTimePassed(1) == .end)
        #expect(queue.threadCount == 1)
        // Its time passed when it had just been given work.
        #expect(queue.idleTimePassed(2) == .work)
        #expect(queue.finished(2).callers == [3])
        #expect(queue.idleTimePassed(2) == .end)
        #expect(queue.threadCount == 0)
        #expect(try queue.ask(self.lookup("d.example"), 4) == .start(3))
    }

    // MARK: A thread that cannot be started

    @Test func `fails what waits if no thread can be started at all`() throws {
        var queue = self.queue(threads: 1)
        #expect(try queue.ask(self.lookup("a.test"), 1) == .start(1))
        #expect(try queue.ask(self.lookup("b.example"), 2) == .wait)
        let (failed, wake) = queue.couldNotStart(1)
        #expect(failed == [1, 2])
        #expect(wake == nil)
        #expect(queue.lookups.count == 0)
        // The next one tries again.
        #expect(try queue.ask(self.lookup("a.test"), 3) == .start(2))
    }

    @Test func `lets a look-up wait whose thread could not be started, before all others`() throws {
        var queue = self.queue(threads: 2)
        #expect(try queue.ask(self.lookup("a.test"), 1) == .start(1))
        #expect(try queue.ask(self.lookup("b.example"), 2) == .start(2))
        #expect(try queue.ask(self.lookup("c.invalid"), 3) == .wait)
        let (failed, wake) = queue.couldNotStart(2)
        #expect(failed == [])
        #expect(wake == nil)
        #expect(try queue.finished(1).next == self.lookup("b.example"))
        #expect(try queue.finished(1).next == self.lookup("c.invalid"))
    }

    @Test func `fails it if there is no place to wait`() throws {
        var queue = self.queue(threads: 2, waiting: 1)
        #expect(try queue.ask(self.lookup("a.test"), 1) == .start(1))
        #expect(try queue.ask(self.lookup("b.example"), 2) == .start(2))
        #expect(try queue.ask(self.lookup("c.invalid"), 3) == .wait)
        #expect(queue.couldNotStart(2).failed == [2])
        #expect(try queue.finished(1).next == self.lookup("c.invalid"))
    }

    @Test func `gives it to a thread that has become idle meanwhile`() throws {
        var queue = self.queue(threads: 2)
        #expect(try queue.ask(self.lookup("a.test"), 1) == .start(1))
        #expect(try queue.ask(self.lookup("b.example"), 2) == .start(2))
        _ = queue.finished(1)
        let (failed, wake) = queue.couldNotStart(2)
        #expect(failed == [])
        #expect(wake == 1)
        #expect(try queue.running[1] == self.lookup("b.example"))
    }

    @Test func `forgets it if its callers have left`() throws {
        var queue = self.queue(threads: 2)
        #expect(try queue.ask(self.lookup("a.test"), 1) == .start(1))
        #expect(try queue.ask(self.lookup("b.example"), 2) == .start(2))
        queue.leave(2)
        _ = queue.couldNotStart(2)
        #expect(queue.waiting.count == 0)
        #expect(queue.finished(1).next == nil)
    }

    // MARK: Whatever happens

    /// Plays random events and compares with what must always hold.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `keeps its bounds, loses no caller, and leaves no thread idle while something may run`(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let limits = LookupQueue.Limits(threads: 8, waiting: 8)
        var queue = LookupQueue(limits: limits)
        var waiting: [UInt64: LookupQueue.Lookup] = [:]
        var busy: Set<UInt64> = []
        var idle: Set<UInt64> = []
        func leave(_ callers: Set<UInt64>) {
            for caller in callers { #expect(waiting.removeValue(forKey: caller) != nil) }
        }
        func wake(_ thread: UInt64?) {
            guard let thread else { return }
            #expect(idle.remove(thread) != nil)
            busy.insert(thread)
        }
        for caller in 1...500 as ClosedRange<UInt64> {
            switch UInt8.random(in: 0..<8, using: &random) {
            case 0...2:
                let name = "n\(Int.random(in: 0..<6, using: &random)).d\(Int.random(in: 0..<4, using: &random)).example"
                let lookup = try self.lookup(name, Bool.random(using: &random) ? .v4 : .v6)
                let decision = queue.ask(lookup, caller)
                if case .reject = decision { break }
                waiting[caller] = lookup
                if case .wake(let thread) = decision { wake(thread) }
                if case .start(let thread) = decision {
                    #expect(idle.isEmpty)
                    busy.insert(thread)
                }
            case 3...4:
                if let caller = waiting.keys.sorted().randomElement(using: &random) {
                    queue.leave(caller)
                    leave([caller])
                }
            case 5:
                if let thread = busy.sorted().randomElement(using: &random) {
                    let (callers, next) = queue.finished(thread)
                    leave(callers)
                    if next == nil {
                        busy.remove(thread)
                        idle.insert(thread)
                    }
                }
            case 6:
                if let thread = idle.sorted().randomElement(using: &random) {
                    #expect(queue.idleTimePassed(thread) == .end)
                    idle.remove(thread)
                }
            default:
                if let thread = busy.sorted().randomElement(using: &random) {
                    busy.remove(thread)
                    let (failed, woken) = queue.couldNotStart(thread)
                    leave(failed)
                    wake(woken)
                }
            }
            #expect(queue.lookups.count == waiting.count)
            #expect(queue.running.count == busy.count)
            #expect(queue.threadCount == busy.count + idle.count)
            #expect(queue.threadCount <= limits.threads)
            #expect(queue.waiting.count <= limits.waiting)
            // With an idle thread, all domains that wait have their share.
            let running = Array(queue.running.values)
            for lookup in waiting.values where !idle.isEmpty && !running.contains(lookup) {
                let domain = lookup.name.suffix(10)
                #expect(running.count { $0.name.hasSuffix(domain) } == limits.threadsPerDomain)
            }
        }
        // All of them get their results in the end.
        while let thread = busy.first {
            let (callers, next) = queue.finished(thread)
            leave(callers)
            if next == nil { busy.remove(thread) }
        }
        #expect(waiting.isEmpty)
        #expect(queue.lookups.count == 0)
        #expect(queue.waiting.count == 0)
    }
}
