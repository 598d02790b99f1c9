/// Settings of a socket that are not about TLS. A listener gives its options to the sockets it accepts.
public struct SocketOptions: Sendable, Hashable {
    /// How the stream is divided into packets. Default: a plain stream.
    public var framing: PacketFraming = .none

    /// The largest packet that is received, in bytes; a longer one ends the stream with
    /// ``SecureSocketError/Code/packetTooLarge``. Default: 64 MiB.
    public var maximumPacketSize: Int = 64 << 20

    /// Whether small writes go out at once (`TCP_NODELAY`) instead of being gathered by the operating system while earlier ones
    /// are under way. Default: true.
    public var noDelay: Bool = true

    /// Whether the operating system probes a silent connection (`SO_KEEPALIVE`). Default: false.
    public var keepAlive: Bool = false

    /// Bytes that are taken from the network before anybody receives them; then the peer has to wait. Default: 64 KiB.
    ///
    /// A whole packet is gathered even if it is larger.
    public var readAhead: Int = 64 << 10

    /// Bytes on their way out above which `send` waits. Default: 256 KiB.
    public var sendHighWaterMark: Int = 256 << 10

    /// Bytes of this socket in its owner's mailbox above which reading pauses. Default: 1 MiB.
    ///
    /// Two active ends that both send more than their marks before they take messages wait for each other.
    public var mailboxHighWaterMark: Int = 1 << 20

    /// How long a closed socket may go without progress in delivering what was accepted by `send`, and then in waiting for the
    /// peer's end, before it is dropped. In any case it is dropped after twelve times as long. Default: 10 seconds.
    public var lingerTimeout: Duration = .seconds(10)

    /// How ends and failures are told where another interface over this one has rules of its own.
    package struct StreamRules: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Nothing more can be sent once the end of the peer's stream has been reported.
        package static let writingEndsWithReading = StreamRules(rawValue: 1 << 0)
        /// An end without `close_notify`, or by a reset, is an ordinary end.
        package static let truncationIsAnEnd = StreamRules(rawValue: 1 << 1)
        /// A failure is reported to one call; to later ones the stream has ended.
        package static let failureIsReportedOnce = StreamRules(rawValue: 1 << 2)
        /// `close` fails every call of `send` that has not returned, also if the peer will get what was given to it.
        package static let closingFailsSends = StreamRules(rawValue: 1 << 3)
        /// Options cannot be set when nothing more can be sent.
        package static let optionsEndWithWriting = StreamRules(rawValue: 1 << 4)
    }

    package var streamRules: StreamRules = []

    /// What the interface over this one remembers of a socket; without a meaning here.
    package var tag: UInt8 = 0

    public init() {}
}

extension SocketOptions {
    /// How much is encrypted in one turn, and how much may be unsent for more to be encrypted: a little less than the mark, so that
    /// ciphertext under a mark that is a power of two fits into a buffer of the same size and not of twice that.
    var outputLimit: Int { self.sendHighWaterMark - self.sendHighWaterMark / 16 }

    /// Throws for an option whose value makes no sense.
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
