internal import TLSEngine

/// Why something failed: a code to switch on, whose fault it is, in which step it happened, and what to do about it.
///
/// Waiting is never an error, and four ends of a connection are kept apart: *you* closed it (``Code/closed``), *they* finished
/// (no error: ``SecureSocket/receive(timeout:)`` answers nil), *it broke* (``Code/connectionReset`` and others), and it was
/// *truncated* (``Code/truncated``).
public struct SecureSocketError: Error, Sendable {
    /// What happened, for programs to switch on. New codes may be added in any version.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private let name: String

        private init(_ name: String) { self.name = name }

        public var description: String { self.name }

        // MARK: Mistakes of the caller

        /// An argument or an option has a value that makes no sense.
        public static let invalidArgument = Code("invalidArgument")
        /// The operation is not for a socket in this mode: `receive` while bytes are delivered to a mailbox, a number of bytes
        /// asked of a framed stream.
        public static let wrongMode = Code("wrongMode")
        /// Only the owner may do this, and the caller is not.
        public static let notOwner = Code("notOwner")
        /// What is to be sent is longer than the packet header can say, or a packet was announced that is larger than allowed.
        public static let packetTooLarge = Code("packetTooLarge")
        /// The task was cancelled while it waited.
        public static let cancelled = Code("cancelled")
        /// The socket or listener was closed on this side.
        public static let closed = Code("closed")
        /// Nothing more can be sent: writing was finished here, or an earlier write failed.
        public static let writingEnded = Code("writingEnded")

        // MARK: Configuration

        /// The certificate chain cannot be loaded or used.
        public static let certificateUnusable = Code("certificateUnusable")
        /// The private key cannot be loaded or used; its password is wrong or missing.
        public static let privateKeyUnusable = Code("privateKeyUnusable")
        /// The private key belongs to another certificate.
        public static let privateKeyMismatch = Code("privateKeyMismatch")
        /// The trusted certificates cannot be loaded.
        public static let trustUnusable = Code("trustUnusable")
        /// The list of ciphers has no cipher that the library knows.
        public static let cipherSuitesUnusable = Code("cipherSuitesUnusable")
        /// A server has no certificate of its own.
        public static let identityMissing = Code("identityMissing")
        /// The configuration contradicts itself or was refused by the TLS library.
        public static let invalidConfiguration = Code("invalidConfiguration")

        // MARK: Network

        /// The host name is not known.
        public static let nameNotFound = Code("nameNotFound")
        /// The host name was not looked up: too many look-ups are waiting already.
        public static let tooManyLookups = Code("tooManyLookups")
        /// Nobody listens there.
        public static let connectionRefused = Code("connectionRefused")
        /// The peer or the network broke the connection.
        public static let connectionReset = Code("connectionReset")
        /// The network or the host cannot be reached.
        public static let unreachable = Code("unreachable")
        /// The address is taken by another socket.
        public static let addressInUse = Code("addressInUse")
        /// The address is not one of this machine's.
        public static let addressNotAvailable = Code("addressNotAvailable")
        /// The operating system does not permit it.
        public static let accessDenied = Code("accessDenied")
        /// The process or the machine has no more descriptors.
        public static let tooManyOpenFiles = Code("tooManyOpenFiles")
        /// Any other error of the operating system; see ``SecureSocketError/errorNumber``.
        public static let system = Code("system")
        /// The deadline has passed.
        public static let timedOut = Code("timedOut")

        // MARK: The peer

        /// The peer's certificate was refused; see ``SecureSocketError/certificateProblem``.
        public static let certificateVerificationFailed = Code("certificateVerificationFailed")
        /// The peer refused us by a TLS alert; see ``SecureSocketError/alert``.
        public static let alertReceived = Code("alertReceived")
        /// The peer does not speak TLS, breaks its rules, or has no version, cipher or group in common with us.
        public static let protocolError = Code("protocolError")
        /// A client connected and left without having sent anything, as health checks and port scans do.
        public static let endedBeforeHandshake = Code("endedBeforeHandshake")
        /// The peer ended the connection in mid-handshake.
        public static let endedInHandshake = Code("endedInHandshake")
        /// The connection ended without the peer saying that it had finished: data may be missing (RFC 8446 §6.1).
        public static let truncated = Code("truncated")
        /// The peer finished before as many bytes as asked for had come. They are still there for a call that asks for less.
        public static let endOfStream = Code("endOfStream")
    }

    /// Whose fault it is: who has to change something before it can work.
    public enum Blame: String, Sendable, Hashable, CaseIterable {
        /// The program that called.
        case caller
        /// The settings and files of this side.
        case configuration
        /// The other side.
        case peer
        /// The network between.
        case network
        /// This machine and its limits.
        case system
    }

    /// What was being done.
    public enum Step: String, Sendable, Hashable, CaseIterable {
        case configuring, resolving, connecting, listening, accepting, handshake, receiving, sending, closing
    }

    private final class Details: Sendable {
        let code: Code
        let blame: Blame
        let step: Step
        let message: String
        let advice: String?
        let certificateProblem: CertificateProblem?
        let alert: TLSAlert?
        let isClientCertificateMissing: Bool
        let errorNumber: Int32?
        let libraryReason: String?

        init(
            code: Code, blame: Blame, step: Step, message: String, advice: String?,
            certificateProblem: CertificateProblem?, alert: TLSAlert?, isClientCertificateMissing: Bool, errorNumber: Int32?,
            libraryReason: String?
        ) {
            self.code = code
            self.blame = blame
            self.step = step
            self.message = message
            self.advice = advice
            self.certificateProblem = certificateProblem
            self.alert = alert
            self.isClientCertificateMissing = isClientCertificateMissing
            self.errorNumber = errorNumber
            self.libraryReason = libraryReason
        }
    }

    // One reference: errors are passed through every result of the hot path.
    private let details: Details

    /// What happened.
    public var code: Code { self.details.code }
    /// Who has to change something.
    public var blame: Blame { self.details.blame }
    /// What was being done.
    public var step: Step { self.details.step }
    /// What happened, in a sentence that names the file, the peer or the setting at fault.
    public var message: String { self.details.message }
    /// What to do next, where something is to be done.
    public var advice: String? { self.details.advice }
    /// What is wrong with the peer's certificate chain, if that is what is wrong.
    public var certificateProblem: CertificateProblem? { self.details.certificateProblem }
    /// The alert that the peer sent, for example ``TLSAlert/unknownCA``.
    public var alert: TLSAlert? { self.details.alert }
    /// Whether a server asked for a client certificate, got none, and ended the connection for that: as its client sees it, or the server
    /// itself. A client has then sent an empty list of certificates (RFC 8446 §4.4.2, RFC 5246 §7.4.6); with TLS 1.2 there is no alert
    /// of its own for that, and most servers send `handshake_failure`.
    public var isClientCertificateMissing: Bool { self.details.isClientCertificateMissing }
    /// The operating system's `errno`, where it gave one.
    public var errorNumber: Int32? { self.details.errorNumber }
    /// The TLS library's own name of the reason, for example `WRONG_VERSION_NUMBER`; for bug reports and searches.
    public var libraryReason: String? { self.details.libraryReason }

    package init(
        _ code: Code,
        blame: Blame,
        step: Step,
        _ message: String,
        advice: String? = nil,
        certificateProblem: CertificateProblem? = nil,
        alert: TLSAlert? = nil,
        isClientCertificateMissing: Bool = false,
        errorNumber: Int32? = nil,
        libraryReason: String? = nil
    ) {
        self.details = Details(
            code: code, blame: blame, step: step, message: message, advice: advice,
            certificateProblem: certificateProblem, alert: alert, isClientCertificateMissing: isClientCertificateMissing,
            errorNumber: errorNumber, libraryReason: libraryReason)
    }
}

extension SecureSocketError {
    static func endedBeforeHandshake(_ peer: String) -> SecureSocketError {
        SecureSocketError(
            .endedBeforeHandshake, blame: .peer, step: .handshake, "\(peer) connected and left without sending anything",
            advice: "Health checks and port scans do this")
    }
}

extension SecureSocketError: CustomStringConvertible {
    /// Message and advice on one line.
    public var description: String {
        guard let advice = self.advice else { return self.message }
        return "\(self.message). \(advice)"
    }
}

extension SecureSocketError: Equatable {
    /// Two errors are equal if a program could not tell them apart: code, step, and what the code refers to.
    public static func == (left: SecureSocketError, right: SecureSocketError) -> Bool {
        left.code == right.code && left.step == right.step
            && left.alert == right.alert && left.errorNumber == right.errorNumber
            && left.certificateProblem == right.certificateProblem
            && left.isClientCertificateMissing == right.isClientCertificateMissing
    }
}
