import SecureSockets

extension SSL {
    /// An option of `listen`, `connect` or `setopts` (specification §3). A wrong value can be expressed; the call then throws `eoptions`.
    public enum Option: Sendable, Hashable {
        /// Delivers data as binaries. Default: as lists of bytes.
        case binary
        /// Packet framing: 0, 1, 2 or 4. Default: 0. Packets of up to ``SSL/maximumPacketSize`` are received.
        case packet(Int)
        /// `TCP_NODELAY`. Default: false.
        case nodelay(Bool)
        /// Whether data is delivered by message (true) or received with `recv` (false). Default: true.
        case active(Bool)
        /// The number of connections that may wait to be accepted; `listen` only. Default: 5.
        case backlog(Int)
        /// The local address; `listen` only. Default: all addresses.
        case ip(Address)
        /// 0: no verification; 1: a certificate that is sent must verify; 2: one must be sent. Default: 0.
        case verify(Int)
        /// The greatest depth of a trusted certificate in the peer's chain, 0 to 255. Default: 1.
        case depth(Int)
        /// The file with this side's certificate and its chain, PEM.
        case certfile(String)
        /// The file with this side's private key, PEM. Default: the file of `certfile`.
        case keyfile(String)
        /// The key's password.
        case password(String)
        /// The file with the trusted certificates, PEM. Default: the system's.
        case cacertfile(String)
        /// Cipher suites up to TLS 1.2, separated by colons.
        case ciphers(String)
        /// The number of seconds for which a session may be resumed; 0 disables resumption. Default: the library's.
        case cachetimeout(Int)
        /// Any term: an option of a later release, or one of these in Erlang's form, for example
        /// `.term(.tuple([.atom("packet"), .integer(4)]))`.
        case term(Term)
    }

    /// The validated options of one call. Of an option given twice, the first counts (§3.1).
    struct Options {
        enum Call { case listen, connect }

        var isBinary = false
        var framing = PacketFraming.none
        var noDelay = false
        var isActive = true
        var backlog = 5
        var ip = "0.0.0.0"
        var verify = 0
        var depth = 1
        var certfile: String?
        var keyfile: String?
        var password: String?
        var cacertfile: String?
        var ciphers: String?
        var cachetimeout: Int?

        init(_ options: [Option], for call: Call) throws(Reason) {
            // From the last to the first, so that the first takes precedence. All are validated.
            for option in options.reversed() {
                let option = try option.typed()
                switch option {
                case .binary: self.isBinary = true
                case .packet(let length):
                    guard let framing = PacketFraming(lengthOfHeader: length) else { throw .eoptions }
                    self.framing = framing
                case .nodelay(let isOn): self.noDelay = isOn
                case .active(let isActive): self.isActive = isActive
                case .backlog(let length):
                    guard call == .listen, length >= 0 else { throw .eoptions }
                    self.backlog = length
                case .ip(let address):
                    guard call == .listen, let dotted = address.dotted else { throw .eoptions }
                    self.ip = dotted
                case .verify(let mode):
                    guard (0...2).contains(mode) else { throw .eoptions }
                    self.verify = mode
                case .depth(let depth):
                    guard (0...255).contains(depth) else { throw .eoptions }
                    self.depth = depth
                case .certfile(let path): self.certfile = path
                case .keyfile(let path): self.keyfile = path
                case .password(let password): self.password = password
                case .cacertfile(let path): self.cacertfile = path
                case .ciphers(let list): self.ciphers = list
                case .cachetimeout(let seconds):
                    guard seconds >= 0 else { throw .eoptions }
                    self.cachetimeout = seconds
                case .term: throw .eoptions
                }
            }
        }

        /// The options of the socket, except those of TLS.
        var socketOptions: SocketOptions {
            var options = SocketOptions()
            options.framing = self.framing
            options.maximumPacketSize = SSL.maximumPacketSize
            options.mailboxHighWaterMark = SSL.mailboxHighWaterMark
            options.noDelay = self.noDelay
            options.streamRules = .classic
            options.tag = SocketMode(isBinary: self.isBinary, isActive: self.isActive).rawValue
            return options
        }

        /// The options of a listener, except those of TLS.
        var listenerOptions: ListenerOptions {
            var options = ListenerOptions()
            options.backlog = self.backlog
            // `accept` has its own deadline, which covers everything.
            options.handshakeTimeout = nil
            return options
        }

        /// The options of `connect`, except those of TLS.
        var connectOptions: ConnectOptions {
            var options = ConnectOptions()
            options.addressFamily = .v4
            return options
        }
    }
}

extension SSL.Option {
    /// Returns the typed form of an option that was written as a term.
    func typed() throws(SSL.Reason) -> SSL.Option {
        guard case .term(let term) = self else { return self }
        switch term {
        case .atom("binary"): return .binary
        case .tuple(let pair) where pair.count == 2:
            guard case .atom(let name) = pair[0] else { throw .eoptions }
            switch (name, pair[1]) {
            case ("packet", .integer(let value)): return .packet(value)
            case ("nodelay", .atom("true")): return .nodelay(true)
            case ("nodelay", .atom("false")): return .nodelay(false)
            case ("active", .atom("true")): return .active(true)
            case ("active", .atom("false")): return .active(false)
            case ("backlog", .integer(let value)): return .backlog(value)
            case ("ip", .string(let value)): return .ip(.host(value))
            case ("ip", .tuple(let parts)):
                let numbers = parts.compactMap { if case .integer(let number) = $0 { number } else { nil } }
                guard parts.count == 4, numbers.count == 4 else { throw .eoptions }
                return .ip(.ipv4(numbers[0], numbers[1], numbers[2], numbers[3]))
            case ("verify", .integer(let value)): return .verify(value)
            case ("depth", .integer(let value)): return .depth(value)
            case ("certfile", .string(let value)): return .certfile(value)
            case ("keyfile", .string(let value)): return .keyfile(value)
            case ("password", .string(let value)): return .password(value)
            case ("cacertfile", .string(let value)): return .cacertfile(value)
            case ("ciphers", .string(let value)): return .ciphers(value)
            case ("cachetimeout", .integer(let value)): return .cachetimeout(value)
            default: throw .eoptions
            }
        default: throw .eoptions
        }
    }
}

extension PacketFraming {
    /// Returns nil if there is no such header.
    fileprivate init?(lengthOfHeader: Int) {
        switch lengthOfHeader {
        case 0: self = .none
        case 1: self = .oneByteLength
        case 2: self = .twoByteLength
        case 4: self = .fourByteLength
        default: return nil
        }
    }
}
