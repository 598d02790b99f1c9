internal import TLSEngine

/// The reason for a failure: a code to switch on, who has to fix it, the step in which it happened, and advice.
///
/// Waiting is never an error, and four ends of a connection are distinguished: this side closed it (``Code/closed``), the peer finished (no
/// error: ``StreamSocket/receive(timeout:)`` returns nil), the connection broke (``Code/connectionReset`` and others), or it was truncated
/// (``Code/truncated``).
public struct SecureSocketError: Error, Sendable {
    /// The kind of failure, for programs to switch on. New codes may be added in any version.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private let name: String

        private init(_ name: String) { self.name = name }

        public var description: String { self.name }

        // MARK: Caller errors

        /// An argument or an option has an invalid value.
        public static let invalidArgument = Code("invalidArgument")
        /// The operation is not available in the socket's mode: for example `receive` while bytes are delivered to a mailbox, or a request
        /// for a number of bytes from a framed stream.
        public static let wrongMode = Code("wrongMode")
        /// Only the owner may perform this operation, and the caller is not the owner.
        package static let notOwner = Code("notOwner")
        /// The data to be sent is longer than the packet header can express, or the peer announced a packet that is larger than permitted.
        public static let packetTooLarge = Code("packetTooLarge")
        /// The task was cancelled while it waited.
        public static let cancelled = Code("cancelled")
        /// The socket or listener was closed on this side.
        public static let closed = Code("closed")
        /// Nothing more can be sent: writing was closed on this side, or an earlier write failed.
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
        /// The list of cipher suites contains none that the library supports.
        public static let cipherSuitesUnusable = Code("cipherSuitesUnusable")
        /// A server has no certificate of its own.
        public static let identityMissing = Code("identityMissing")
        /// The configuration contradicts itself or was rejected by the TLS library.
        public static let invalidConfiguration = Code("invalidConfiguration")

        // MARK: Network

        /// The host name is not known.
        public static let nameNotFound = Code("nameNotFound")
        /// The host name was not looked up, because too many look-ups are waiting.
        public static let tooManyLookups = Code("tooManyLookups")
        /// No socket listens at the address.
        public static let connectionRefused = Code("connectionRefused")
        /// The peer or the network broke the connection.
        public static let connectionReset = Code("connectionReset")
        /// The network or the host cannot be reached.
        public static let unreachable = Code("unreachable")
        /// The address is in use by another socket.
        public static let addressInUse = Code("addressInUse")
        /// The address does not belong to this machine.
        public static let addressNotAvailable = Code("addressNotAvailable")
        /// The operating system denies permission.
        public static let accessDenied = Code("accessDenied")
        /// The process or the machine has run out of descriptors.
        public static let tooManyOpenFiles = Code("tooManyOpenFiles")
        /// Any other error of the operating system; see ``SecureSocketError/errorNumber``.
        public static let system = Code("system")
        /// The deadline has passed.
        public static let timedOut = Code("timedOut")

        // MARK: The peer

        /// The peer's certificate was refused; see ``SecureSocketError/certificateProblem``.
        public static let certificateVerificationFailed = Code("certificateVerificationFailed")
        /// The program rejected the peer (``PeerRule``) or its hello during the handshake.
        public static let rejected = Code("rejected")
        /// A client requested a server name that this server does not serve.
        public static let unrecognizedName = Code("unrecognizedName")
        /// The peer ended the connection with a TLS alert; see ``SecureSocketError/alert``.
        public static let alertReceived = Code("alertReceived")
        /// The peer does not speak TLS, violates the protocol, or has no version, cipher suite or group in common with this side.
        public static let protocolError = Code("protocolError")
        /// A client connected and left without sending anything, as health checks and port scans do.
        public static let endedBeforeHandshake = Code("endedBeforeHandshake")
        /// The peer ended the connection during the handshake.
        public static let endedInHandshake = Code("endedInHandshake")
        /// The connection ended without `close_notify`: data may be missing (RFC 8446 §6.1).
        public static let truncated = Code("truncated")
        /// The peer finished before the requested number of bytes had arrived. They are kept for a call that requests fewer.
        public static let endOfStream = Code("endOfStream")
    }

    /// The party that has to change something before the operation can succeed. New values may be added in any version.
    public struct Blame: Sendable, Hashable, CustomStringConvertible {
        private let name: String

        private init(_ name: String) { self.name = name }

        /// The name of the constant, for example `peer`.
        public var description: String { self.name }

        /// The calling program.
        public static let caller = Blame("caller")
        /// The settings and files of this side.
        public static let configuration = Blame("configuration")
        /// The peer.
        public static let peer = Blame("peer")
        /// The network between the two sides.
        public static let network = Blame("network")
        /// This machine and its limits.
        public static let system = Blame("system")
    }

    /// The operation in progress when the failure occurred. New values may be added in any version.
    public struct Step: Sendable, Hashable, CustomStringConvertible {
        private let name: String

        private init(_ name: String) { self.name = name }

        /// The name of the constant, for example `handshake`.
        public var description: String { self.name }

        public static let configuring = Step("configuring")
        public static let resolving = Step("resolving")
        public static let connecting = Step("connecting")
        public static let listening = Step("listening")
        public static let accepting = Step("accepting")
        public static let handshake = Step("handshake")
        public static let receiving = Step("receiving")
        public static let sending = Step("sending")
        public static let closing = Step("closing")
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
        let negotiation: Negotiation?

        init(
            code: Code, blame: Blame, step: Step, message: String, advice: String?,
            certificateProblem: CertificateProblem?, alert: TLSAlert?, isClientCertificateMissing: Bool, errorNumber: Int32?,
            libraryReason: String?, negotiation: Negotiation?
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
            self.negotiation = negotiation
        }
    }

    // A single reference, because errors are part of every result on the hot path.
    private let details: Details

    /// The kind of failure.
    public var code: Code { self.details.code }
    /// The party that has to change something.
    public var blame: Blame { self.details.blame }
    /// The operation in progress.
    public var step: Step { self.details.step }
    /// A sentence that describes the failure and names the file, the peer or the setting at fault.
    public var message: String { self.details.message }
    /// The recommended action, if there is one.
    public var advice: String? { self.details.advice }
    /// The problem with the peer's certificate chain, if that is the cause.
    public var certificateProblem: CertificateProblem? { self.details.certificateProblem }
    /// The alert that the peer sent, for example ``TLSAlert/unknownCA``.
    public var alert: TLSAlert? { self.details.alert }
    /// Whether a server requested a client certificate, received none, and ended the connection for that reason, as seen by either side.
    /// The client has then sent an empty list of certificates (RFC 8446 §4.4.2, RFC 5246 §7.4.6). TLS 1.2 has no specific alert for this,
    /// and most servers send `handshake_failure`.
    public var isClientCertificateMissing: Bool { self.details.isClientCertificateMissing }
    /// The operating system's `errno`, if it reported one.
    public var errorNumber: Int32? { self.details.errorNumber }
    /// The TLS library's name for the reason, for example `WRONG_VERSION_NUMBER`, for bug reports and searches.
    public var libraryReason: String? { self.details.libraryReason }
    /// The offers of both sides, if the handshake failed because they do not agree on a version, cipher suite, group, signature algorithm or
    /// application protocol, or if the peer refused the offer without a reason.
    public var negotiation: Negotiation? { self.details.negotiation }

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
        libraryReason: String? = nil,
        negotiation: Negotiation? = nil
    ) {
        self.details = Details(
            code: code, blame: blame, step: step, message: message, advice: advice,
            certificateProblem: certificateProblem, alert: alert, isClientCertificateMissing: isClientCertificateMissing,
            errorNumber: errorNumber, libraryReason: libraryReason, negotiation: negotiation)
    }

    /// Returns the error with other advice.
    func withAdvice(_ advice: String) -> SecureSocketError {
        SecureSocketError(
            self.code, blame: self.blame, step: self.step, self.message, advice: advice,
            certificateProblem: self.certificateProblem, alert: self.alert,
            isClientCertificateMissing: self.isClientCertificateMissing, errorNumber: self.errorNumber,
            libraryReason: self.libraryReason, negotiation: self.negotiation)
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
    /// The message and the advice on one line.
    public var description: String {
        guard let advice = self.advice else { return self.message }
        return "\(self.message). \(advice)"
    }
}

extension SecureSocketError: Equatable {
    /// Two errors are equal if a program could not distinguish them: by code, step, and what the code refers to.
    public static func == (left: SecureSocketError, right: SecureSocketError) -> Bool {
        left.code == right.code && left.step == right.step
            && left.alert == right.alert && left.errorNumber == right.errorNumber
            && left.certificateProblem == right.certificateProblem
            && left.isClientCertificateMissing == right.isClientCertificateMissing && left.negotiation == right.negotiation
    }
}
