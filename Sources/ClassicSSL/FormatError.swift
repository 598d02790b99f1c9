extension SSL {
    /// `format_error/1`: returns a text for a reason. Accepts every term, and the text is never empty (specification §2).
    public static func formatError(_ reason: Reason) -> String {
        switch reason {
        case .badcall(let call): "the call is not possible on this socket, or not by this process: \(call)"
        case .badcast(let call): "an unknown internal request: \(call)"
        case .badinfo(let info): "an unexpected internal message: \(info)"
        case .posix(let name): Self.systemReasonTexts[name] ?? "unknown reason: \(name)"
        default: Self.texts[reason] ?? "unknown reason: \(reason)"
        }
    }

    /// Returns a text for any term: for a reason as an atom, for `{error, Reason}`, `{badcall, _}` and the like; any other term is shown as
    /// it is.
    public static func formatError(_ term: Term) -> String {
        switch term {
        case .atom(let name):
            let reason = Reason(atom: name)
            if case .posix = reason, Self.systemReasonTexts[name] == nil { return "unknown reason: \(term)" }
            return Self.formatError(reason)
        case .tuple(let parts) where parts.count == 2:
            switch parts[0] {
            case .atom("error"): return Self.formatError(parts[1])
            case .atom("badcall"): return Self.formatError(.badcall(Self.text(of: parts[1])))
            case .atom("badcast"): return Self.formatError(.badcast(Self.text(of: parts[1])))
            case .atom("badinfo"): return Self.formatError(.badinfo(Self.text(of: parts[1])))
            default: return "unknown reason: \(term)"
            }
        default: return "unknown reason: \(term)"
        }
    }

    private static func text(of term: Term) -> String {
        if case .string(let text) = term { text } else { term.description }
    }

    private static let texts: [Reason: String] = [
        .enooptions: "listen needs options: the list is empty",
        .eoptions: "an option is unknown, misplaced, or has a wrong value",
        .ecacertfile: "the file of trusted certificates (cacertfile) cannot be read or has no certificate",
        .ecertfile: "the certificate file (certfile) cannot be read or has no certificate",
        .ekeyfile: "the key file (keyfile) cannot be read, has no key, or its password is wrong or missing",
        .ekeymismatch: "the private key does not belong to the certificate",
        .ecipher: "no cipher suite of the list (ciphers) is known",
        .enoservercert: "the listener has no certificate (certfile)",
        .enoissuercert: "the issuer of a certificate in the peer's chain is not known",
        .epeercertexpired: "a certificate of the peer has expired",
        .epeercertinvalid: "a certificate of the peer is not valid yet",
        .eselfsignedcert: "a certificate of the peer is self-signed and not trusted",
        .echaintoolong: "the peer's certificate chain is longer than depth allows",
        .epeercert: "the peer's certificate was refused",
        .esslaccept: "the client ended the connection in mid-handshake",
        .esslconnect: "the server ended the connection in mid-handshake",
        .esslerrssl: "the TLS protocol failed: an alert from the peer, nothing in common, or no TLS at all",
        .ex509lookup: "a certificate callback was requested, and there is none",
        .ewantconnect: "the transport is not connected yet",
        .closed: "the connection is closed",
        .timeout: "the call has timed out",
        .enotlistener: "the socket is not a listener",
        .ebadsocket: "the socket is not known",
        .ebadstate: "the connection is not in the required state",
        .ebrokertype: "the socket process was asked for an unknown role",
        .enoproxysocket: "the socket's internal channel could not be made",
    ]
}
