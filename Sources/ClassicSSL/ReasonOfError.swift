import SecureSockets

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// A function whose errors have reasons.
enum FailedCall: String {
    case accept, connect, listen, receive
    case controllingProcess = "controlling_process"
    case recv
}

extension SSL.Reason {
    /// Maps an error to its reason (specification §6):
    ///
    ///     code                                          reason
    ///     certificateUnusable, privateKeyUnusable       ecertfile, ekeyfile
    ///     privateKeyMismatch, trustUnusable             ekeymismatch, ecacertfile
    ///     cipherSuitesUnusable, identityMissing         ecipher, enoservercert
    ///     invalidConfiguration                          eoptions; enomem if the TLS library refused it
    ///     invalidArgument                               eoptions while configuring, nxdomain for a host, otherwise einval
    ///     certificateVerificationFailed                 by the certificate problem's kind (§6.2)
    ///     alertReceived, protocolError                  esslerrssl
    ///     rejected, unrecognizedName                    esslerrssl (the classic interface does not cause them)
    ///     endedInHandshake, endedBeforeHandshake        esslconnect, or esslaccept in `accept`
    ///     closed, cancelled, writingEnded               closed
    ///     truncated, endOfStream                        closed
    ///     timedOut, packetTooLarge                      timeout, emsgsize
    ///     wrongMode                                     badcall while receiving, otherwise einval
    ///     notOwner                                      badcall
    ///     nameNotFound, tooManyLookups                  nxdomain
    ///     codes of the network and of the system        the error number's name (§6.6); without one, econnreset for a lost
    ///                                                   connection, nxdomain for a host that was not found, otherwise closed
    init(_ error: SecureSocketError, call: FailedCall) {
        switch error.code {
        case .certificateUnusable: self = .ecertfile
        case .privateKeyUnusable: self = .ekeyfile
        case .privateKeyMismatch: self = .ekeymismatch
        case .trustUnusable: self = .ecacertfile
        case .cipherSuitesUnusable: self = .ecipher
        case .identityMissing: self = .enoservercert
        case .invalidConfiguration: self = error.libraryReason == nil ? .eoptions : .enomem
        case .invalidArgument:
            switch error.step {
            case .configuring: self = .eoptions
            case .resolving: self = .nxdomain
            default: self = .einval
            }
        case .certificateVerificationFailed: self = error.certificateProblem.map(Self.init) ?? .epeercert
        case .alertReceived, .protocolError, .rejected, .unrecognizedName: self = .esslerrssl
        case .endedInHandshake, .endedBeforeHandshake: self = call == .accept ? .esslaccept : .esslconnect
        case .closed, .cancelled, .writingEnded, .truncated, .endOfStream: self = .closed
        case .timedOut: self = .timeout
        case .packetTooLarge: self = .emsgsize
        case .wrongMode: self = error.step == .receiving ? .badcall(call.rawValue) : .einval
        case .notOwner: self = .badcall(call.rawValue)
        case .nameNotFound, .tooManyLookups: self = .nxdomain
        default:
            if let number = error.errorNumber {
                self = .posix(ErrorNumber.name(of: number))
            } else if error.code == .connectionReset {
                self = .econnreset
            } else {
                self = error.step == .resolving ? .nxdomain : .closed
            }
        }
    }

    /// Maps the problem of a refused chain to its reason (specification §6.2).
    init(_ problem: CertificateProblem) {
        switch problem.kind {
        case .issuerUnknown: self = .enoissuercert
        case .expired: self = .epeercertexpired
        case .notYetValid: self = .epeercertinvalid
        case .selfSigned, .untrustedRoot: self = .eselfsignedcert
        case .chainTooLong: self = .echaintoolong
        default: self = problem.isLackOfMemory ? .enomem : .epeercert
        }
    }
}
