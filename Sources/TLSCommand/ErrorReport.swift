import DevelopmentCertificates
import SecureSockets
import SecureSocketsRedis
import TLSEngine

/// The report on an error: the message, the advice, and the exit status.
struct ErrorReport: Report {
    static let event = "error"

    /// The problem with a certificate.
    struct Problem: Encodable {
        var kind: String
        var code: Int32
        var depth: Int
        var subject: String?
    }

    var code: String
    var message: String
    var advice: String?
    var blame: String?
    var step: String?
    var alert: String?
    var errorNumber: Int32?
    var libraryReason: String?
    var certificateProblem: Problem?
    var negotiation: NegotiationReport?
    var exitStatus: Int32

    var status: ExitStatus { ExitStatus(rawValue: self.exitStatus) ?? .failure }
    var isSilent: Bool { self.status == .success }

    /// Creates a report. The result is nil for errors that are neither the library's nor this tool's.
    init?(describing error: any Error) {
        switch error {
        case let error as SecureSocketError: self.init(error)
        case let error as AdvisedError: self.init(error.error, advice: error.advice)
        case let error as ToolError:
            self.init(code: error.code, error.message, error.advice, error.status)
        case let error as DevelopmentCertificateError:
            self.init(code: "certificatesNotMade", error.description, nil, .configuration)
        case let error as RedisError:
            self.init(
                code: error.code.description, error.message, error.advice,
                error.code == .invalidConfiguration ? .configuration : .failure)
        case let error as UsageError:
            self.init(code: "usage", error.message, nil, .usage)
        default: return nil
        }
    }

    init(_ error: SecureSocketError, advice: String? = nil) {
        self.init(
            code: error.code.description, error.message, advice ?? error.advice,
            error.step == .configuring ? .configuration : .failure)
        self.blame = error.blame.description
        self.step = error.step.description
        self.alert = error.alert?.description
        self.errorNumber = error.errorNumber
        self.libraryReason = error.libraryReason
        self.certificateProblem = error.certificateProblem.map { problem in
            Problem(
                kind: problem.kind.description, code: problem.code, depth: problem.depth,
                subject: problem.certificate?.subject)
        }
        self.negotiation = error.negotiation.map(NegotiationReport.init)
    }

    private init(code: String, _ message: String, _ advice: String?, _ status: ExitStatus) {
        self.code = code
        self.message = message
        self.advice = advice
        self.exitStatus = status.rawValue
    }

    /// The report on one line and, if a negotiation failed, the offers of both sides on more.
    var text: String { (["tls: \(self.sentence)"] + (self.negotiation?.lines ?? [])).joined(separator: "\n") }

    /// The message and the advice.
    var sentence: String {
        var message = self.message.escapedForDisplay
        guard let advice = self.advice?.escapedForDisplay else { return message }
        if !message.hasSuffix(".") { message += "." }
        // Advice that ends with a command ends in a file name. A full stop after it would be copied with the command.
        let endsInName = advice.split(separator: " ").last?.contains { $0 == "." || $0 == "/" } ?? false
        return "\(message) \(advice)\(endsInName || advice.hasSuffix("?") ? "" : ".")"
    }
}

/// An error of the library, with advice in terms of the command line.
struct AdvisedError: Error {
    var error: SecureSocketError
    var advice: String
}
