import Foundation
import SecureSockets

/// What to do about an error of the library, in terms of the options of this tool.
enum Advice {
    /// Runs `body`, and gives its errors advice that names options.
    static func given<Value>(
        by advice: (SecureSocketError) -> String?, _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch let error as SecureSocketError {
            guard let text = advice(error) else { throw error }
            throw AdvisedError(error: error, advice: text)
        }
    }

    static func forConnecting(_ error: SecureSocketError) -> String? {
        if let text = self.forFiles(error) { return text }
        if let problem = error.certificateProblem {
            switch problem.kind {
            case .selfSigned: return "If you trust it, pass this certificate with --ca FILE"
            case .untrustedRoot, .issuerUnknown:
                return "If you trust its authority, pass that with --ca FILE; a server must send its whole chain"
            case .wrongName, .wrongAddress:
                return "Connect by a name that the certificate is for, or pass that with --server-name NAME"
            default: return nil
            }
        }
        switch error.alert {
        case "certificate_required": return "Pass one with --cert FILE and --key FILE"
        case "no_application_protocol": return "Pass others with --alpn LIST"
        default: return nil
        }
    }

    static func forServing(_ error: SecureSocketError) -> String? {
        if let text = self.forFiles(error) { return text }
        return switch error.code {
        case .addressInUse: "Choose another port (0 picks a free one), or end the program that has this one"
        default: nil
        }
    }

    private static func forFiles(_ error: SecureSocketError) -> String? {
        // A path from an environment variable has advice of its own.
        guard error.step == .configuring, error.errorNumber == ENOENT, error.advice?.hasPrefix("Check the path") ?? false else {
            return nil
        }
        return "Check the path; to make certificates to develop with: tls certs dev DIR"
    }
}
