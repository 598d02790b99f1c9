import ArgumentParser
import SecureSockets

/// `HOST:PORT` of a command line; an IPv6 address stands in brackets.
struct HostAndPort: Equatable {
    var host: String
    var port: Int

    init(_ text: String) throws {
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else {
            throw ValidationError("Write the port as well, for example \(text.isEmpty ? "localhost" : text):443")
        }
        let host = text[..<colon]
        guard let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port) else {
            throw ValidationError("'\(text[text.index(after: colon)...])' is not a port; 1 to 65535 are.")
        }
        self.port = port
        if host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 {
            self.host = String(host.dropFirst().dropLast())
        } else if host.contains(":"), !host.contains("/") {
            throw ValidationError("Write an IPv6 address in brackets, for example [::1]:443")
        } else {
            self.host = String(host)
        }
        do {
            try SecureSocketError.check(host: String(host))
        } catch  where error.code == .invalidArgument {
            throw ValidationError(
                ErrorReport(error, advice: error.advice ?? "Write HOST:PORT, for example localhost:8443").sentence)
        } catch {
            // A zone that this machine does not have; connecting fails with it.
        }
    }
}
