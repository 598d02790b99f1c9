import SecureSockets

/// The options for this side's identity.
struct IdentityOptions: ArgumentGroup {
    var cert: String?
    var key: String?
    var password: String?

    static let arguments: ArgumentTable<IdentityOptions> = [
        .option("--cert", \.cert, .text("file"), "This side's certificate chain, PEM, its own certificate first."),
        .option("--key", \.key, .text("file"), "The private key of --cert, PEM."),
        .option(
            "--password", \.password, .text("password"),
            "The password of --key, if it is encrypted. Other users of this machine can see it in the list of processes."),
    ]

    func validate() throws(UsageError) {
        if self.cert != nil, self.key == nil { throw UsageError("--cert needs --key, which may name the same file.") }
        if self.key != nil, self.cert == nil { throw UsageError("--key needs --cert, which may name the same file.") }
        if self.password != nil, self.key == nil { throw UsageError("--password is for --key; pass that as well.") }
    }

    /// Loads the identity; nil if none was given.
    func identity(_ leniency: LeniencyOptions) throws(SecureSocketError) -> TLSIdentity? {
        guard let cert, let key else { return nil }
        return try TLSIdentity(
            certificateChain: .file(cert), privateKey: .file(key), password: self.password, allowing: leniency.legacyCertificates)
    }
}

/// The options that accept certificates that are refused by default.
struct LeniencyOptions: ArgumentGroup {
    var allowLegacyCertificates = false
    var partialChain = false

    static let arguments: ArgumentTable<LeniencyOptions> = [
        .flag(
            "--allow-legacy-certificates", \.allowLegacyCertificates,
            "Accept certificates signed with SHA-1 and RSA keys under 2048 bits. For old peers only: they can be forged."),
        .flag(
            "--partial-chain", \.partialChain,
            "Let a chain end in any certificate that is trusted, not only in a self-signed one."),
    ]

    var legacyCertificates: LegacyCertificates {
        self.allowLegacyCertificates ? [.sha1Signatures, .rsaKeysUnder2048Bits] : []
    }

    func applied(to trust: TLSTrust) -> TLSTrust {
        let trust = trust.allowing(self.legacyCertificates)
        return self.partialChain ? trust.acceptingPartialChains : trust
    }
}

/// The number of bytes of the length that precedes each packet.
enum LengthHeader: Int, Sendable, CaseIterable {
    case none = 0
    case oneByte = 1
    case twoBytes = 2
    case fourBytes = 4

    var framing: PacketFraming {
        switch self {
        case .none: .none
        case .oneByte: .oneByteLength
        case .twoBytes: .twoByteLength
        case .fourBytes: .fourByteLength
        }
    }
}

/// The options for framing and application protocols.
struct StreamOptions: ArgumentGroup {
    var packet = LengthHeader.none
    var alpn: [String]?

    static let arguments: ArgumentTable<StreamOptions> = [
        .option(
            "--packet", \.packet, .choice("bytes"), "Bytes of the length before each packet: 0 (a plain stream), 1, 2 or 4."),
        .option(
            "--alpn", \.alpn, .applicationProtocols,
            "Application protocols (ALPN) in order of preference, for example h2,http/1.1."),
    ]

    var socketOptions: SocketOptions {
        var options = SocketOptions()
        options.framing = self.packet.framing
        return options
    }

    var parameters: TLSParameters {
        var parameters = TLSParameters()
        parameters.applicationProtocols = self.alpn ?? []
        return parameters
    }
}

/// A duration in seconds, which may have a fraction.
struct Seconds: CustomStringConvertible {
    var duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    var description: String {
        let (seconds, attoseconds) = self.duration.components
        return attoseconds == 0 ? "\(seconds)" : "\(Double(seconds) + Double(attoseconds) / 1e18)"
    }
}

extension ValueFormat<Seconds> {
    static var seconds: Self {
        // The limit is a year, so that no sum overflows.
        let longest = 31_536_000
        return Self(
            placeholder: "seconds",
            parse: { text throws(UsageError) in
                guard let seconds = Double(text), !seconds.isNaN else {
                    throw UsageError("\(text.quotedArgument) is not a number; give seconds, for example 5 or 0.5")
                }
                guard (0...Double(longest)).contains(seconds) else {
                    throw UsageError("\(text.quotedArgument) is out of range; give 0 to \(longest) seconds")
                }
                return Seconds(.seconds(seconds))
            },
            print: \.description)
    }
}

extension ValueFormat<[String]> {
    /// Application protocol names, separated by commas.
    static var applicationProtocols: Self {
        Self(
            placeholder: "list",
            parse: { text throws(UsageError) in
                let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
                guard names.allSatisfy({ (1...255).contains($0.utf8.count) }) else {
                    throw UsageError("each application protocol is 1 to 255 bytes long; separate them by commas without spaces")
                }
                return names
            })
    }
}

extension ValueFormat<String> {
    /// A server name that can be requested and verified.
    static var serverName: Self {
        Self(
            placeholder: "name",
            parse: { text throws(UsageError) in
                do throws(SecureSocketError) {
                    try SecureSocketError.check(serverName: text)
                } catch {
                    throw UsageError(ErrorReport(error).sentence)
                }
                return text
            })
    }
}
