/// A version of the Internet Protocol.
package enum IPFamily: Hashable, CaseIterable, Sendable { case v6, v4 }
