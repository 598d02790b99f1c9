/// A queue that seldom holds more than one element. The first element is stored inline, without an allocation.
///
/// Public, in a module that is not a product, because only then is it specialized in other modules. Without specialization it costs 2,000
/// more instructions per message.
@frozen public struct ShortQueue<Element> {
    /// nil only if `others` is empty.
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

    /// Removes the first matching element at any place.
    @inlinable public mutating func remove(where matches: (Element) -> Bool) -> Element? {
        guard let head = self.head else { return nil }
        if matches(head) { return self.popFirst() }
        return self.others.firstIndex(where: matches).map { self.others.remove(at: $0) }
    }

    /// Removes and returns all elements in order.
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
