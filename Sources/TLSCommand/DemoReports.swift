import SecureSockets
import TLSEngine

/// The reports of `tls demo`, step by step.
enum DemoReports {
    /// The report on the certificates.
    struct Certificates: Report {
        static let event = "certificates"

        var authority: String
        var server: String
        var names: [String]
        var milliseconds: Double

        init(authority: TLSCertificate, server: TLSCertificate, _ duration: Duration) {
            self.authority = authority.subject
            self.server = server.subject
            self.names = server.alternativeNames.map(\.value)
            self.milliseconds = duration.milliseconds
        }

        var text: String {
            DemoReports.paragraph(
                "An authority and a server certificate, made in memory (\(DemoReports.time(self.milliseconds)))",
                [
                    "authority    \(self.authority)",
                    "server       \(self.server) for \(self.names.joined(separator: ", "))\n",
                ])
        }
    }

    /// The report that the server listens.
    struct Listening: Report {
        static let event = "listening"

        var host: String
        var port: Int

        init(_ endpoint: SocketEndpoint) {
            self.host = endpoint.host
            self.port = endpoint.port
        }

        var text: String {
            DemoReports.paragraph("A server listens on \(SocketEndpoint(host: self.host, port: self.port))\n", [])
        }
    }

    /// The report on the client's connection.
    struct Connected: Report {
        static let event = "connected"

        var connection: ConnectionReport
        var milliseconds: Double

        private enum CodingKeys: CodingKey { case milliseconds }

        var text: String {
            DemoReports.paragraph(
                "A client connects and verifies the chain and the name (\(DemoReports.time(self.milliseconds)))",
                self.connection.lines(peer: "server"))
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(self.milliseconds, forKey: .milliseconds)
            try self.connection.encode(to: encoder)
        }
    }

    /// The report on an echoed message.
    struct Echoed: Report {
        static let event = "echoed"

        var message: String?
        var bytes: Int
        var milliseconds: Double

        init(text: String?, bytes: Int, _ duration: Duration) {
            self.message = text
            self.bytes = bytes
            self.milliseconds = duration.milliseconds
        }

        var text: String {
            let what = self.message.map { "\"\($0)\"" } ?? "\(self.bytes) bytes"
            return "   sent and received back: \(what) (\(DemoReports.time(self.milliseconds)))"
        }
    }

    /// The report that both ends have closed.
    struct Closed: Report {
        static let event = "closed"

        var milliseconds: Double

        var text: String { "   both ends closed, nothing lost (\(DemoReports.time(self.milliseconds)))\n" }
    }

    /// The report on a client that refused the server.
    struct Refused: Report {
        static let event = "refused"

        var trusted: String
        var error: ErrorReport
        /// The server's error, which results from the client's alert.
        var serverSaw: ErrorReport?

        init(trusted: TLSCertificate, error: ErrorReport, serverSaw: ErrorReport?) {
            self.trusted = trusted.subject
            self.error = error
            self.serverSaw = serverSaw
        }

        var text: String {
            var lines = ["client says  \(self.error.message.escapedForDisplay)"]
            if let advice = self.error.advice { lines.append("advice       \(advice.escapedForDisplay)") }
            lines.append("code         \(self.error.code)\(self.error.certificateProblem.map { ", \($0.kind)" } ?? "")")
            if let step = self.error.step, let blame = self.error.blame {
                lines.append("step, blame  \(step), \(blame)")
            }
            if let serverSaw { lines.append("server says  \(serverSaw.message.escapedForDisplay)") }
            let title = "A client that trusts only \(self.trusted) refuses the server, as expected"
            return DemoReports.paragraph(title, lines) + "\n"
        }
    }

    /// The report that the demonstration has succeeded.
    struct Done: Report {
        static let event = "done"

        var next = ["tls demo --stay", "tls certs dev certs", "tls --help"]

        var text: String { "Everything worked. Try next:\n" + self.next.map { "  \($0)" }.joined(separator: "\n") }
    }

    /// The report that the server keeps serving.
    struct Staying: Report {
        static let event = "staying"

        var authority: String
        var next: [String]

        init(authority: String, port: Int) {
            self.authority = authority
            let file = ShellWord.quoted(authority)
            self.next = [
                "curl --cacert \(file) https://localhost:\(port)/",
                "openssl s_client -connect 127.0.0.1:\(port) -servername localhost -verify_hostname localhost "
                    + "-verify_return_error -CAfile \(file)",
                "tls connect localhost:\(port) --ca \(file) --info",
            ]
        }

        var text: String {
            "Everything worked. The server keeps running and echoes what it receives. Try in another terminal:\n"
                + self.next.map { "  \($0)" }.joined(separator: "\n") + "\nCtrl-C to stop."
        }
    }

    fileprivate static func paragraph(_ title: String, _ lines: [String]) -> String {
        ([title] + lines.map { "   " + $0 }).joined(separator: "\n")
    }

    fileprivate static func time(_ milliseconds: Double) -> String { Duration.milliseconds(milliseconds).roundedText }
}
