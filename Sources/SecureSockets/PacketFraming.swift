package import SocketCore

/// A division of the stream into packets.
///
/// With a framing, each `send` sends one packet and each `receive` returns one, without its header or terminator. A packet may be empty.
/// The framing is not negotiated: each end sets its own, and both must set the same.
public struct PacketFraming: Sendable, Hashable {
    package let framing: Framing

    package init(_ framing: Framing) { self.framing = framing }

    /// A plain stream without boundaries.
    public static let none = PacketFraming(.none)

    // MARK: Length headers

    /// Packets of up to 255 bytes, preceded by a one-byte length.
    public static let oneByteLength = PacketFraming(.oneByte)
    /// Packets of up to 65,535 bytes, preceded by a two-byte, big-endian length.
    public static let twoByteLength = PacketFraming(.twoBytes)
    /// Packets of up to 4,294,967,295 bytes, preceded by a four-byte, big-endian length. ``SocketOptions/maximumPacketSize`` limits what is
    /// received.
    public static let fourByteLength = PacketFraming(.fourBytes)

    // MARK: Terminators

    /// Lines that are sent with LF. Received lines may end in LF or CRLF. A line to send must not contain a line break.
    public static let line = PacketFraming(.line)
    /// Lines that end in CRLF, as in SMTP, IMAP and many other internet protocols. A CR or an LF alone is part of a received line, because
    /// to accept it as the end of a line lets attackers smuggle commands (RFC 5321 §2.3.8). A line to send must contain neither.
    public static let crlfLine = PacketFraming(.crlfLine)

    /// Returns a framing whose packets end in a delimiter. A packet to send must not contain the delimiter.
    ///
    /// - Parameter bytes: The delimiter, 1 to 8 bytes long.
    /// - Throws: ``SecureSocketError`` with the code `invalidArgument` if the length is out of range.
    public static func delimiter(_ bytes: [UInt8]) throws(SecureSocketError) -> PacketFraming {
        guard let delimiter = Delimiter(bytes) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring,
                "a delimiter has 1 to \(Delimiter.longest) bytes, not \(bytes.count)")
        }
        return PacketFraming(.delimiter(delimiter))
    }
}
