package import NIOCore

/// Timers in the order of their deadlines. A cancelled timer is removed at once.
///
/// Most timers are cancelled: those of handshakes, of calls with a timeout, of closing connections. Therefore each timer knows its place in
/// the heap.
package struct TimerHeap {
    package final class Timer {
        package let deadline: NIODeadline
        /// Breaks ties: of equal deadlines, the timer that was added first is first.
        fileprivate let number: UInt64
        fileprivate var place: Int?
        fileprivate var bodies: Bodies?

        fileprivate init(_ deadline: NIODeadline, _ number: UInt64, _ bodies: Bodies) {
            self.deadline = deadline
            self.number = number
            self.bodies = bodies
        }

        /// Notifies the timer's owner that it will never fire.
        func abandon() {
            let bodies = self.bodies
            self.bodies = nil
            bodies?.abandon?()
        }

        fileprivate func isBefore(_ other: Timer) -> Bool {
            self.deadline == other.deadline ? self.number < other.number : self.deadline < other.deadline
        }
    }

    /// The closures of a timer. Released only outside of the heap, because that may run code which uses the heap.
    package struct Bodies {
        fileprivate let happen: () -> Void
        fileprivate let abandon: (() -> Void)?
    }

    private var timers: ContiguousArray<Timer> = []
    private var lastNumber: UInt64 = 0

    package init() {}

    /// The earliest deadline.
    package var next: NIODeadline? { self.timers.first?.deadline }

    /// Adds a timer.
    /// - Parameter abandon: Runs if the timer is abandoned instead (`takeAbandonable`).
    package mutating func add(
        at deadline: NIODeadline, _ body: @escaping () -> Void, orWhenItIsAbandoned abandon: (() -> Void)? = nil
    ) -> Timer {
        self.lastNumber += 1
        let timer = Timer(deadline, self.lastNumber, Bodies(happen: body, abandon: abandon))
        self.timers.append(timer)
        self.rise(timer, from: self.timers.count - 1)
        return timer
    }

    /// Removes a timer and returns its closures; nil if it has already fired or was cancelled.
    package mutating func cancel(_ timer: Timer) -> Bodies? {
        guard let place = timer.place else { return nil }
        return self.remove(at: place)
    }

    /// Removes the first timer if it is due, and returns its closure.
    package mutating func takeDue(at now: NIODeadline) -> (() -> Void)? {
        guard let first = self.timers.first, first.deadline <= now else { return nil }
        return self.remove(at: 0)?.happen
    }

    /// The deadlines, in no particular order.
    var deadlines: [NIODeadline] { self.timers.map(\.deadline) }

    /// Removes and returns all timers with an `abandon` closure, which the caller has to run.
    mutating func takeAbandonable() -> [Timer] {
        let all = self.timers
        self.timers.removeAll()
        for timer in all {
            timer.place = nil
            guard timer.bodies?.abandon == nil else { continue }
            self.timers.append(timer)
            self.rise(timer, from: self.timers.count - 1)
        }
        return all.filter { $0.place == nil }
    }

    private mutating func remove(at place: Int) -> Bodies? {
        let timer = self.timers[place]
        let bodies = timer.bodies
        timer.place = nil
        timer.bodies = nil
        let last = self.timers.removeLast()
        guard last !== timer else { return bodies }
        // The last timer takes the free place and moves to where it belongs.
        if place > 0, last.isBefore(self.timers[(place - 1) / 2]) {
            self.rise(last, from: place)
        } else {
            self.sink(last, from: place)
        }
        return bodies
    }

    private mutating func rise(_ timer: Timer, from start: Int) {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard timer.isBefore(self.timers[parent]) else { break }
            self.put(self.timers[parent], at: place)
            place = parent
        }
        self.put(timer, at: place)
    }

    private mutating func sink(_ timer: Timer, from start: Int) {
        var place = start
        while true {
            var child = 2 * place + 1
            guard child < self.timers.count else { break }
            if child + 1 < self.timers.count, self.timers[child + 1].isBefore(self.timers[child]) { child += 1 }
            guard self.timers[child].isBefore(timer) else { break }
            self.put(self.timers[child], at: place)
            place = child
        }
        self.put(timer, at: place)
    }

    private mutating func put(_ timer: Timer, at place: Int) {
        self.timers[place] = timer
        timer.place = place
    }
}
