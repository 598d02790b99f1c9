/// Options of a socket that do not concern TLS. A listener applies its options to the sockets it accepts.
public struct SocketOptions: Sendable, Hashable {
    /// The division of the stream into packets. Default: a plain stream.
    public var framing: PacketFraming = .none

    /// The maximum size of a received packet in bytes. A larger one ends the stream with ``SecureSocketError/Code/packetTooLarge``.
    /// Default: 64 MiB.
    public var maximumPacketSize: Int = 64 << 20

    /// Whether small writes are sent immediately (`TCP_NODELAY`). Otherwise the operating system combines them while earlier data is
    /// unacknowledged. Default: true.
    public var noDelay: Bool = true

    /// Whether the operating system probes idle connections (`SO_KEEPALIVE`). Default: false.
    public var keepAlive: Bool = false

    /// The number of bytes that are read from the network before the program receives them. At the limit, reading stops, and the peer has
    /// to wait. Default: 64 KiB.
    ///
    /// A packet is buffered as a whole even if it is larger.
    public var readAhead: Int = 64 << 10

    /// The number of unsent bytes above which `send` waits. Default: 256 KiB.
    public var sendHighWaterMark: Int = 256 << 10

    /// The number of bytes of this socket in its owner's mailbox above which reading pauses. Default: 1 MiB.
    ///
    /// If both ends are active and both send more than their marks before they take messages, they wait for each other: a deadlock.
    public var mailboxHighWaterMark: Int = 1 << 20

    /// The time without progress after which a closed socket is dropped. Default: 10 seconds.
    ///
    /// Progress is delivering the bytes that `send` accepted, and then receiving up to the peer's end of stream. A closed socket is dropped
    /// in any case after twelve times this period.
    public var lingerTimeout: Duration = .seconds(10)

    /// Rules for reporting ends and failures, for interfaces above this one whose rules differ.
    package struct StreamRules: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Sending fails once the end of the peer's stream has been reported.
        package static let writingEndsWithReading = StreamRules(rawValue: 1 << 0)
        /// The end of the connection without `close_notify`, or by a reset, is reported as an ordinary end of stream.
        package static let truncationIsAnEnd = StreamRules(rawValue: 1 << 1)
        /// A failure is reported to one call. Later calls report the end of the stream.
        package static let failureIsReportedOnce = StreamRules(rawValue: 1 << 2)
        /// `close` fails every call of `send` that has not returned, even if its bytes are still delivered.
        package static let closingFailsSends = StreamRules(rawValue: 1 << 3)
        /// Setting an option fails when nothing more can be sent.
        package static let optionsEndWithWriting = StreamRules(rawValue: 1 << 4)
    }

    package var streamRules: StreamRules = []

    /// A value for the interface above this one. It has no meaning here.
    package var tag: UInt8 = 0

    /// Creates the default options.
    public init() {}
}

extension SocketOptions {
    /// The number of bytes that are encrypted in one tick of the event loop, and the number of unsent bytes below which more are encrypted.
    ///
    /// It is a little less than the mark, so that the ciphertext fits into a buffer of the mark's size when that is a power of two, instead
    /// of one twice as large.
    var outputLimit: Int { self.sendHighWaterMark - self.sendHighWaterMark / 16 }

    /// Returns the options, or throws if a value is out of range.
    func validated() throws(SecureSocketError) -> SocketOptions {
        // Buffers cannot hold more than 4 GiB, and no use of these options comes near it.
        let largest = 1 << 30
        try OptionError.check(
            (0...largest).contains(self.maximumPacketSize),
            "maximumPacketSize is \(self.maximumPacketSize); 0 to \(largest) are possible")
        try OptionError.check(
            (1...largest).contains(self.readAhead), "readAhead is \(self.readAhead); 1 to \(largest) are possible")
        try OptionError.check(
            (1...largest).contains(self.sendHighWaterMark),
            "sendHighWaterMark is \(self.sendHighWaterMark); 1 to \(largest) are possible")
        try OptionError.check(
            self.mailboxHighWaterMark > 0, "mailboxHighWaterMark is \(self.mailboxHighWaterMark); it must be positive")
        try OptionError.check(self.lingerTimeout >= .zero, "lingerTimeout is \(self.lingerTimeout); it must not be negative")
        return self
    }
}
