/// How a connection in memory divides what one end sends into the pieces in which it arrives.
///
/// TCP keeps no boundaries: what is sent in one call may arrive in many pieces, also inside a TLS record. A protocol should pass its tests
/// with each fragmentation.
public struct Fragmentation: Sendable, Hashable {
    let pieceLength: Int?

    /// Bytes arrive as they were sent.
    public static let whole = Fragmentation(pieceLength: nil)

    /// Each byte arrives alone.
    public static let oneByteAtATime = Fragmentation(pieceLength: 1)

    /// Bytes arrive in pieces of at most this many bytes; less than 1 counts as 1.
    public static func pieces(of length: Int) -> Fragmentation { Fragmentation(pieceLength: max(length, 1)) }
}
