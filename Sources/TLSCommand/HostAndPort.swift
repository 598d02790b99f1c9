import SecureSockets
import TLSEngine

/// A `HOST:PORT` argument. IPv6 addresses are written in brackets.
struct HostAndPort: Equatable {
    var host: String
    var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    init(_ text: String) throws(UsageError) {
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else {
            let host = text.isEmpty ? "localhost" : text.abbreviatedForDisplay
            throw UsageError("\(text.quotedArgument) has no port; write it as well, for example \(host):443")
        }
        let host = text[..<colon]
        let digits = String(text[text.index(after: colon)...])
        guard let port = Int(digits), (1...65_535).contains(port) else {
            throw UsageError("\(digits.quotedArgument) is not a port; give a number from 1 to 65535")
        }
        self.port = port
        if host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 {
            self.host = String(host.dropFirst().dropLast())
        } else if host.contains(":"), !host.contains("/") {
            throw UsageError("an IPv6 address stands in brackets, for example [::1]:443")
        } else {
            self.host = String(host)
        }
        do {
            try SecureSocketError.check(host: String(host))
        } catch  where error.code == .invalidArgument {
            throw UsageError(
                ErrorReport(error, advice: error.advice ?? "Write HOST:PORT, for example localhost:8443").sentence)
        } catch {
            // This machine does not have the zone. Connecting reports the error.
        }
    }
}

extension ValueFormat<HostAndPort> {
    static var hostAndPort: Self {
        Self(placeholder: "host:port", parse: { text throws(UsageError) in try HostAndPort(text) })
    }
}
