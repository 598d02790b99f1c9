/// A version of the internet protocol, with its addresses.
package enum IPFamily: Hashable, CaseIterable, Sendable { case v6, v4 }
