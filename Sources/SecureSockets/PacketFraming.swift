package import SocketCore

/// How a stream is divided into packets. Each end chooses on its own, and both should choose the same.
///
/// With a framing, each `send` sends one packet and each `receive` returns one, without what stands around it. An empty packet is a
/// packet.
public struct PacketFraming: Sendable, Hashable {
    package let framing: Framing

    package init(_ framing: Framing) { self.framing = framing }

    /// A plain stream without boundaries.
    public static let none = PacketFraming(.none)

    // MARK: Length headers

    /// Packets of up to 255 bytes: a header of one byte with the length, then the bytes.
    public static let oneByteLength = PacketFraming(.oneByte)
    /// Packets of up to 65,535 bytes: a header of two bytes, big-endian, with the length, then the bytes.
    public static let twoByteLength = PacketFraming(.twoBytes)
    /// Packets of up to 4,294,967,295 bytes, or `maximumPacketSize`: a header of four bytes, big-endian, with the length, then the bytes.
    public static let fourByteLength = PacketFraming(.fourBytes)

    // MARK: Terminators

    /// Lines that end in LF. Received lines may also end in CRLF. A line that is sent must not contain a line break.
    public static let line = PacketFraming(.line)
    /// Lines that end in CRLF, as in SMTP, IMAP and many other internet protocols. A CR or an LF alone is a part of a received line (accepting
    /// it as the end of a line lets attackers smuggle commands, RFC 5321 §2.3.8), and must not occur in a line that is sent.
    public static let crlfLine = PacketFraming(.crlfLine)

    /// Packets that end in these bytes, which must not occur in the packets that are sent.
    ///
    /// - Parameter bytes: 1 to 8 bytes.
    /// - Throws: ``SecureSocketError`` with the code `invalidArgument` for another number of bytes.
    public static func delimiter(_ bytes: [UInt8]) throws(SecureSocketError) -> PacketFraming {
        guard let delimiter = Delimiter(bytes) else {
            throw SecureSocketError(
                .invalidArgument, blame: .caller, step: .configuring,
                "a delimiter has 1 to \(Delimiter.longest) bytes, not \(bytes.count)")
        }
        return PacketFraming(.delimiter(delimiter))
    }
}
