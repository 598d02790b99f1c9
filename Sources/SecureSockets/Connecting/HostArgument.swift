import NIOCore
import SocketCore
import TLSEngine

extension ConnectTarget.Host {
    /// Parses and validates a host as callers specify it: a name or an address.
    init(_ text: String, port: Int) throws(SecureSocketError) {
        // Functions of the C library would take the text before a NUL for the whole.
        guard !text.utf8.contains(0), case .address(let literal) = PeerName(text) else {
            do {
                self = .name(try HostName(text))
            } catch {
                throw SecureSocketError(error, of: "host name", text, step: .resolving)
            }
            return
        }
        let address =
            text.contains("%")
            ? SystemResolver.address(scoped: text.withoutBrackets, port: port)
            : try? SocketAddress(ipAddress: literal.description, port: port)
        guard let address else { throw SecureSocketError(unknownZoneOf: text) }
        self = .address(address)
    }
}

extension SecureSocketError {
    /// Rejects a host that `connect` could not use.
    package static func check(host: String) throws(SecureSocketError) {
        _ = try ConnectTarget.Host(host, port: 0)
    }

    /// Rejects a name that could neither be requested nor appear in a certificate.
    package static func check(serverName name: String) throws(SecureSocketError) {
        guard name.utf8.contains(0) || IPAddressBytes(literal: name) == nil else { return }
        do {
            _ = try HostName(name)
        } catch {
            throw SecureSocketError(error, of: "server name", name, step: .configuring)
        }
    }

    fileprivate init(_ problem: HostName.Problem, of noun: String, _ name: String, step: Step) {
        let (fault, advice) = problem.explanation
        self.init(
            .invalidArgument, blame: .caller, step: step, "the \(noun)\(name.isEmpty ? "" : " \(name.quoted)") \(fault)",
            advice: advice)
    }

    fileprivate init(unknownZoneOf address: String) {
        self.init(
            .addressNotAvailable, blame: .caller, step: .resolving,
            "the address \(address.quoted) has a zone that is not a network interface of this machine",
            advice: "Give the interface's name after the percent sign, as in fe80::1%eth0")
    }
}

extension HostName.Problem {
    /// The fault of a name, and advice.
    fileprivate var explanation: (fault: String, advice: String?) {
        switch self {
        case .empty: ("is empty", nil)
        case .notASCII:
            (
                "has characters outside ASCII",
                "Give its ASCII form (A-label, RFC 5890), in which such labels begin with xn--"
            )
        case .controlCharacter(let character): ("has a control character (\(String(character).escapedForDisplay))", nil)
        case .forbiddenCharacter(" "): ("has a blank", nil)
        case .forbiddenCharacter(let character):
            ("has the character \(character), which host names do not have", "Give the host alone, without scheme, port or path")
        case .emptyLabel: ("has an empty label", "Check its dots")
        case .labelTooLong(let label):
            ("has a label of \(label.utf8.count) bytes; \(HostName.longestLabel) is the maximum", nil)
        case .tooLong(let byteCount): ("is \(byteCount) bytes long; \(HostName.longestName) is the maximum", nil)
        }
    }
}

extension String {
    /// The address without the brackets that it has in a URL.
    var withoutBrackets: String { self.hasPrefix("[") && self.hasSuffix("]") ? String(self.dropFirst().dropLast()) : self }

    /// The text in quotation marks, as in messages.
    fileprivate var quoted: String { "\"\(self.abbreviatedForDisplay)\"" }
}
