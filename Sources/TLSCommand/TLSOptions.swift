public import ArgumentParser
public import SecureSockets

/// Who this side is.
struct IdentityOptions: ParsableArguments {
    @Option(help: ArgumentHelp("This side's certificate chain, PEM, its own certificate first.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("The private key of --cert, PEM.", valueName: "file"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "The password of --key, if it is encrypted.",
            discussion: "Other users of this machine can see it in the list of processes."))
    var password: String?

    func validate() throws {
        if self.cert != nil, self.key == nil { throw ValidationError("--cert needs --key, which may name the same file.") }
        if self.key != nil, self.cert == nil { throw ValidationError("--key needs --cert, which may name the same file.") }
        if self.password != nil, self.key == nil { throw ValidationError("--password is for --key; pass that as well.") }
    }

    /// Nil if none was given.
    func identity(_ leniency: LeniencyOptions) throws(SecureSocketError) -> TLSIdentity? {
        guard let cert, let key else { return nil }
        return try TLSIdentity(
            certificateChain: .file(cert), privateKey: .file(key), password: self.password, allowing: leniency.legacyCertificates)
    }
}

/// Which certificates are accepted that are refused by default.
struct LeniencyOptions: ParsableArguments {
    @Flag(help: "Accept certificates signed with SHA-1 and RSA keys under 2048 bits. For old peers only: they can be forged.")
    var allowLegacyCertificates = false

    @Flag(help: "Let a chain end in any certificate that is trusted, not only in a self-signed one.")
    var partialChain = false

    var legacyCertificates: LegacyCertificates {
        self.allowLegacyCertificates ? [.sha1Signatures, .rsaKeysUnder2048Bits] : []
    }

    func applied(to trust: TLSTrust) -> TLSTrust {
        let trust = trust.allowing(self.legacyCertificates)
        return self.partialChain ? trust.acceptingPartialChains : trust
    }
}

/// How bytes travel.
struct StreamOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Bytes of the length before each packet: 0 (a plain stream), 1, 2 or 4.", valueName: "bytes"))
    var packet: PacketHeader = .none

    @Option(
        help: ArgumentHelp("Application protocols (ALPN) in order of preference, for example h2,http/1.1.", valueName: "list"),
        transform: Self.protocols)
    var alpn: [String]?

    /// The names between commas.
    static func protocols(_ list: String) throws -> [String] {
        let names = list.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard names.allSatisfy({ (1...255).contains($0.utf8.count) }) else {
            throw ValidationError("Each application protocol has 1 to 255 bytes; separate them by commas without spaces.")
        }
        return names
    }

    var socketOptions: SocketOptions {
        var options = SocketOptions()
        options.packetHeader = self.packet
        return options
    }

    var parameters: TLSParameters {
        var parameters = TLSParameters()
        parameters.applicationProtocols = self.alpn ?? []
        return parameters
    }
}

extension PacketHeader: ExpressibleByArgument {}

/// A span of time in seconds, with a fraction if need be.
struct Seconds: ExpressibleByArgument, CustomStringConvertible {
    var duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        // A year is as good as for ever, and no sum overflows.
        guard let seconds = Double(argument), seconds >= 0, seconds <= 31_536_000 else { return nil }
        self.duration = .seconds(seconds)
    }

    var description: String {
        let (seconds, attoseconds) = self.duration.components
        return attoseconds == 0 ? "\(seconds)" : "\(Double(seconds) + Double(attoseconds) / 1e18)"
    }
}
