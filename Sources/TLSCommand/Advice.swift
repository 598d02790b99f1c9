import Foundation
import SecureSockets
import TLSEngine

/// Advice on an error of the library, in terms of this tool's options.
enum Advice {
    /// Runs `body` and adds advice that names options to its errors.
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
        if let problem = error.certificateProblem, let text = self.forCertificate(problem, trustOption: "--ca") { return text }
        if error.isClientCertificateMissing { return "Pass one with --cert FILE and --key FILE" }
        switch error.alert {
        case .noApplicationProtocol?: return "Pass others with --alpn LIST"
        default: break
        }
        if let text = self.forNegotiation(error, peer: "server") { return text }
        // The library's advice names its own option.
        return error.advice.flatMap { advice in
            advice.contains("`ConnectOptions.retriesWithoutMLKEM`")
                ? advice.replacing(/set `ConnectOptions.retriesWithoutMLKEM`, or.*/, with: "pass --retry-without-mlkem") : nil
        }
    }

    /// Returns advice on a negotiation for which the library names settings that are not options of this tool.
    private static func forNegotiation(_ error: SecureSocketError, peer: String) -> String? {
        guard let negotiation = error.negotiation, let advice = error.advice else { return nil }
        switch negotiation.parameter {
        case .applicationProtocol?: return "Pass one of the \(peer)'s protocols with --alpn LIST"
        case .signatureScheme? where advice.contains("`TLSIdentity`"), .group? where advice.contains("`TLSIdentity`"),
            .cipherSuite? where advice.contains("`TLSIdentity`"):
            return "Pass a certificate with another kind of key with --cert FILE and --key FILE"
        default:
            guard advice.contains("`TLSParameters.") else { return nil }
            return negotiation.parameter == nil
                ? "Compare this with what the \(peer) allows; its log may say more"
                : "This tool has no option for it: have the \(peer) allow one of this side's values"
        }
    }

    static func forServing(_ error: SecureSocketError) -> String? {
        if let text = self.forFiles(error) { return text }
        if let problem = error.certificateProblem { return self.forCertificate(problem, trustOption: "--client-ca") }
        if error.isClientCertificateMissing, let advice = error.advice {
            return "\(advice), or leave out --require-client-certificate"
        }
        if let text = self.forNegotiation(error, peer: "client") { return text }
        return switch error.code {
        case .addressInUse: "Choose another port (0 picks a free one), or end the program that has this one"
        default: nil
        }
    }

    /// Returns advice on a peer's certificate.
    private static func forCertificate(_ problem: CertificateProblem, trustOption: String) -> String? {
        switch problem.kind {
        case .selfSigned, .untrustedRoot, .issuerUnknown:
            switch problem.refusal.detail {
            case .issuerHasOtherKey(isTrusted: true):
                return "The authority was probably made anew: pass its present certificate with \(trustOption) FILE"
            case .issuerHasOtherKey(isTrusted: false): return nil
            default: break
            }
            if problem.kind == .selfSigned { return "If you trust it, pass this certificate with \(trustOption) FILE" }
            let peer = trustOption == "--ca" ? "server" : "client"
            return "If you trust its authority, pass that with \(trustOption) FILE; a \(peer) must send its whole chain"
        case .wrongAddress where problem.hasAddressAsName: return nil
        case .wrongName, .wrongAddress:
            return "Connect by a name that the certificate is for, or pass that with --server-name NAME"
        case .weakSignature, .weakKey:
            return "Have the peer use another certificate; until then, --allow-legacy-certificates accepts this one"
        default: return nil
        }
    }

    private static func forFiles(_ error: SecureSocketError) -> String? {
        // The error for a path from an environment variable has its own advice.
        guard error.step == .configuring, error.errorNumber == ENOENT, error.advice?.hasPrefix("Check the path") ?? false else {
            return nil
        }
        return "Check the path; to make certificates to develop with: tls certs dev DIR"
    }
}
