/// A queue that is seldom longer than one: its first element lies in the queue itself and takes no memory beside it.
///
/// Public, in a module that is no product, because only so it is specialized in other modules; unspecialized it costs 2,000
/// instructions a message more.
@frozen public struct ShortQueue<Element> {
    /// nil only if there are no others.
    @usableFromInline var head: Element?
    @usableFromInline var others: [Element] = []

    @inlinable public init() {}

    @inlinable public var isEmpty: Bool { self.head == nil }

    @inlinable public var count: Int { self.head == nil ? 0 : 1 + self.others.count }

    @inlinable public var first: Element? { self.head }

    @inlinable public mutating func append(_ element: Element) {
        if self.head == nil { self.head = element } else { self.others.append(element) }
    }

    @inlinable public mutating func popFirst() -> Element? {
        let first = self.head
        self.head = self.others.isEmpty ? nil : self.others.removeFirst()
        return first
    }

    /// Takes out the first element that matches, wherever it stands.
    @inlinable public mutating func remove(where matches: (Element) -> Bool) -> Element? {
        guard let head = self.head else { return nil }
        if matches(head) { return self.popFirst() }
        return self.others.firstIndex(where: matches).map { self.others.remove(at: $0) }
    }

    /// Takes out everything, in its order.
    @inlinable public mutating func removeAll() -> [Element] {
        defer { self = ShortQueue() }
        return Array(self)
    }
}

extension ShortQueue: Sequence {
    @inlinable public func makeIterator() -> Iterator { Iterator(rest: self) }

    public struct Iterator: IteratorProtocol {
        @usableFromInline var rest: ShortQueue
        @usableFromInline var index = -1

        @inlinable init(rest: ShortQueue) { self.rest = rest }

        @inlinable public mutating func next() -> Element? {
            defer { self.index += 1 }
            if self.index < 0 { return self.rest.head }
            return self.index < self.rest.others.count ? self.rest.others[self.index] : nil
        }
    }
}

extension ShortQueue: Sendable where Element: Sendable {}
