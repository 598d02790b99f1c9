/// The division of the bytes that one end of an in-memory connection sends into the pieces that the other end receives.
///
/// TCP preserves no boundaries: the bytes of one call may arrive in many pieces, and a TLS record may be divided too. A protocol
/// implementation should pass its tests with every fragmentation.
public struct Fragmentation: Sendable, Hashable {
    let pieceLength: Int?

    /// Bytes arrive in the pieces in which they were sent.
    public static let whole = Fragmentation(pieceLength: nil)

    /// Each byte arrives alone.
    public static let oneByteAtATime = Fragmentation(pieceLength: 1)

    /// Returns a fragmentation with pieces of at most this many bytes; less than 1 counts as 1.
    public static func pieces(of length: Int) -> Fragmentation { Fragmentation(pieceLength: max(length, 1)) }
}
