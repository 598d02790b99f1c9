import SecureSockets

extension SSL {
    /// The reason for which a call failed: the second element of `{error, Reason}` (specification §6).
    public enum Reason: Error, Sendable, Hashable {
        // §6.1 Own configuration
        case enooptions
        case eoptions
        case ecacertfile
        case ecertfile
        case ekeyfile
        case ekeymismatch
        case ecipher
        case enoservercert
        // §6.2 The peer's certificate
        case enoissuercert
        case epeercertexpired
        case epeercertinvalid
        case eselfsignedcert
        case echaintoolong
        case epeercert
        // §6.3 Handshake and protocol
        case esslaccept
        case esslconnect
        case esslerrssl
        case ex509lookup
        case ewantconnect
        // §6.4 State and call
        case closed
        case timeout
        case enotlistener
        case badcall(String)
        case badcast(String)
        case badinfo(String)
        // §6.5 Internal reasons of the original's port program, kept for `formatError` and for programs that match on them
        case ebadsocket
        case ebadstate
        case ebrokertype
        case enoproxysocket
        // §6.6 inet reasons
        /// A reason of the operating system or of `inet`, by its name in lower case, for example `econnrefused`.
        case posix(String)

        public static let eacces = Reason.posix("eacces")
        public static let eaddrinuse = Reason.posix("eaddrinuse")
        public static let eaddrnotavail = Reason.posix("eaddrnotavail")
        public static let econnrefused = Reason.posix("econnrefused")
        public static let econnreset = Reason.posix("econnreset")
        public static let einval = Reason.posix("einval")
        public static let ehostunreach = Reason.posix("ehostunreach")
        public static let emfile = Reason.posix("emfile")
        public static let emsgsize = Reason.posix("emsgsize")
        public static let enetunreach = Reason.posix("enetunreach")
        public static let enomem = Reason.posix("enomem")
        public static let enotconn = Reason.posix("enotconn")
        public static let epipe = Reason.posix("epipe")
        public static let etimedout = Reason.posix("etimedout")
        public static let exbadport = Reason.posix("exbadport")
        public static let exbadseq = Reason.posix("exbadseq")
        public static let nxdomain = Reason.posix("nxdomain")

        /// The reasons that are a single atom, except those of the operating system.
        static let atoms: [String: Reason] = [
            "enooptions": .enooptions, "eoptions": .eoptions, "ecacertfile": .ecacertfile, "ecertfile": .ecertfile,
            "ekeyfile": .ekeyfile, "ekeymismatch": .ekeymismatch, "ecipher": .ecipher, "enoservercert": .enoservercert,
            "enoissuercert": .enoissuercert, "epeercertexpired": .epeercertexpired, "epeercertinvalid": .epeercertinvalid,
            "eselfsignedcert": .eselfsignedcert, "echaintoolong": .echaintoolong, "epeercert": .epeercert,
            "esslaccept": .esslaccept, "esslconnect": .esslconnect, "esslerrssl": .esslerrssl, "ex509lookup": .ex509lookup,
            "ewantconnect": .ewantconnect, "closed": .closed, "timeout": .timeout, "enotlistener": .enotlistener,
            "ebadsocket": .ebadsocket, "ebadstate": .ebadstate, "ebrokertype": .ebrokertype,
            "enoproxysocket": .enoproxysocket,
        ]

        /// Creates the reason of that name. Any other name is taken for one of the operating system's.
        public init(atom: String) {
            self = Self.atoms[atom] ?? .posix(atom)
        }

        /// The atom, or the tag of a pair.
        public var atom: String {
            switch self {
            case .badcall: "badcall"
            case .badcast: "badcast"
            case .badinfo: "badinfo"
            case .posix(let name): name
            default: Self.names[self] ?? "unknown"
            }
        }

        private static let names = Dictionary(uniqueKeysWithValues: Self.atoms.map { ($1, $0) })
    }
}

extension SSL.Reason: CustomStringConvertible {
    /// The reason as Erlang writes it: `closed`, or `{badcall,"recv"}`.
    public var description: String {
        switch self {
        case .badcall(let text), .badcast(let text), .badinfo(let text): "{\(self.atom),\"\(text)\"}"
        default: self.atom
        }
    }
}
