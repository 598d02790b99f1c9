internal import CNIOBoringSSL

// MARK: Why a connection cannot continue

extension TLSEngine {
    /// The alert that the peer sent unencrypted after the ServerHello, where TLS 1.3 requires encryption. OpenSSL's clients report in this
    /// way why they reject a certificate; BoringSSL reads it as a record that cannot be decrypted.
    private var alertInTheClear: AlertDescription? {
        // Content type 21, any version, length 2, level 2 (fatal), and the description.
        guard self.isInHandshake, self.lastHandshakeBytes & 0x00ff_ff00_ffff_ff00 == 0x0015_0300_0002_0200 else { return nil }
        return AlertDescription(code: UInt8(truncatingIfNeeded: self.lastHandshakeBytes))
    }

    /// Returns the cause of a failed call to BoringSSL, with what explains it.
    ///
    /// - Parameter code: The result of `SSL_get_error`.
    func failure(_ code: Int32) -> TLSFailure {
        self.explained(self.unexplainedFailure(code))
    }

    func explained(_ failure: TLSFailure) -> TLSFailure {
        TLSFailure(failure.kind, reason: failure.reason, explanation: self.explanation(of: failure))
    }

    private func explanation(of failure: TLSFailure) -> TLSFailure.Explanation? {
        switch failure.kind {
        case .alertReceived(let alert): self.explanation(of: alert)
        case .peerUnacceptable: failure.reason.flatMap(self.explanation(of:))
        case .endedInHandshake:
            self.certificateRequest.map { .certificateRequest($0.answered(with: self.context.settings.identity)) }
        default: nil
        }
    }

    private func explanation(of alert: AlertDescription) -> TLSFailure.Explanation? {
        let settings = self.context.settings
        switch settings.role {
        case .client:
            if let request = self.certificateRequest?.answered(with: settings.identity) {
                let isAboutIt =
                    request.shownSubject == nil
                    ? alert.mayMeanMissingCertificate : alert.isAboutCertificate || alert.isHandshakeFailure
                if isAboutIt { return .certificateRequest(request) }
            }
            // Once the server has chosen a suite, its alert has another cause.
            guard self.isInHandshake, SSL_get_pending_cipher(self.ssl) == nil else { return nil }
            return FailedNegotiation(alert: alert, own: self.offer).map { .negotiation($0) }
        case .server:
            if alert.isAboutCertificate {
                // Of several identities, the one that BoringSSL has used is not known.
                guard settings.furtherIdentities.isEmpty else { return nil }
                return (settings.identity?.certificates.first?.subject).map { .shownCertificate(subject: $0) }
            }
            guard self.isInHandshake else { return nil }
            return FailedNegotiation(
                alert: alert, clientHello: self.clientHello, chosen: self.chosenByServer, context: self.context
            ).map { .negotiation($0) }
        }
    }

    /// What this server has chosen, in a handshake that is not complete.
    private var chosenByServer: TLSOffer {
        var offer = TLSOffer()
        guard let suite = SSL_get_pending_cipher(self.ssl) ?? SSL_get_current_cipher(self.ssl) else { return offer }
        offer.versions = [UInt16(truncatingIfNeeded: SSL_version(self.ssl))]
        offer.cipherSuites = [SSL_CIPHER_get_protocol_id(suite)]
        let group = SSL_get_group_id(self.ssl)
        offer.groups = group == 0 ? [] : [group]
        offer.applicationProtocols = self.selectedApplicationProtocol.map { [$0] } ?? []
        return offer
    }

    private func explanation(of reason: LibraryReason) -> TLSFailure.Explanation? {
        if reason.isOfTLS(SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
            return .certificateRequest(CertificateRequest(of: self.context.settings.trust))
        }
        guard self.isInHandshake else { return nil }
        if reason.isOfPlaintext {
            let bytes = self.bytesInPlaceOfRecord
            return Self.isRecordHeader(bytes) ? nil : .plaintext(bytes)
        }
        if reason.isOfTLS(SSL_R_EXCESSIVE_MESSAGE_SIZE) { return .messageTooLong(self.messageTooLong) }
        if self.context.settings.role == .client { return self.failureAtClient(reason).map { .negotiation($0) } }
        // BoringSSL returns TLS 1.2 until a version has been chosen.
        let version =
            reason.isOfTLS(SSL_R_UNSUPPORTED_PROTOCOL)
            ? nil : TLSVersion(rawValue: UInt16(truncatingIfNeeded: SSL_version(self.ssl)))
        return FailedNegotiation(reason: reason, clientHello: self.clientHello, version: version, context: self.context)
            .map { .negotiation($0) }
    }

    private func failureAtClient(_ reason: LibraryReason) -> FailedNegotiation? {
        if reason.isOfTLS(SSL_R_UNKNOWN_CERTIFICATE_TYPE) || reason.isOfTLS(SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS) {
            return self.certificateRequest.flatMap {
                FailedNegotiation(
                    requested: $0.signatureAlgorithms, choice: self.serverChoice, own: self.offer,
                    key: self.context.settings.identity?.key)
            }
        }
        return FailedNegotiation(
            reason: reason, choice: self.serverChoice, own: self.offer, key: self.peerCertificates.first?.publicKey)
    }

    /// The handshake message that BoringSSL rejected as too long. The limit is that of `ssl_max_handshake_message_len`.
    private var messageTooLong: TLSFailure.MessageTooLong {
        let settings = self.context.settings
        let takesCertificates = settings.role == .client || settings.verification != .none
        let limit = max(Self.longestOtherMessage, takesCertificates ? SSL_get_max_cert_list(self.ssl) : 0)
        if let message = self.handshakeTrace.message, message.length > limit {
            return .init(
                kind: Int32(message.type) == SSL3_MT_CERTIFICATE
                    ? .certificates : message.type == SSL3_MT_CLIENT_HELLO ? .hello : .other,
                length: message.length, limit: limit)
        }
        // A certificate request is never that long. Where one may arrive, a server's certificates may arrive as well.
        let state = SSL_state_string_long(self.ssl).map { String(cString: $0) } ?? ""
        let isCertificates = state.hasSuffix("_certificate") || state.hasSuffix("_certificate_request")
        return .init(kind: isCertificates ? .certificates : .other, length: nil, limit: limit)
    }

    /// The value of BoringSSL's `kMaxMessageLen`.
    private static let longestOtherMessage = 16384

    /// The bytes that BoringSSL found not to be a TLS record. It reads the five bytes of a record's header first.
    private var bytesInPlaceOfRecord: [UInt8] {
        let header = (0..<5).map { UInt8(truncatingIfNeeded: self.lastHandshakeBytes >> (8 * (4 - $0))) }
        return header + self.nextInput(atMost: TLSFailure.Explanation.longestPlaintext - header.count)
    }

    /// Whether the bytes are a content type and a version of TLS (RFC 8446 §5.1).
    private static func isRecordHeader(_ bytes: [UInt8]) -> Bool {
        bytes.count >= 2 && (20...24).contains(bytes[0]) && bytes[1] == 3
    }

    private func unexplainedFailure(_ code: Int32) -> TLSFailure {
        let reasons = ErrorQueue.drain()
        if let refusal = self.programRefusal { return TLSFailure(.refusedByProgram(refusal), reason: reasons.first) }
        // The version, for example, is negotiated before the hello is answered.
        if reasons.contains(where: { $0.isOfTLS(SSL_R_CLIENTHELLO_TLSEXT) }) {
            if self.isServerNameRefused {
                return TLSFailure(.serverNameNotServed(self.requestedServerName ?? ""), reason: reasons.first)
            }
            if self.offersNoApplicationProtocol { return TLSFailure(.peerUnacceptable, reason: .noApplicationProtocol) }
        }
        if let refusal = self.refusal { return TLSFailure(.certificateVerificationFailed(refusal), reason: reasons.first) }
        switch code {
        case SSL_ERROR_SSL:
            if let reason = reasons.first(where: { $0.isOfTLS(SSL_R_KEY_USAGE_BIT_INCORRECT) }) {
                // BoringSSL checks this before the chain is verified, and also if nothing is verified.
                let refusal = CertificateRefusal(
                    CertificateRefusal.wrongPurpose, .lacksDigitalSignature, depth: 0, of: nil)
                return TLSFailure(.certificateVerificationFailed(refusal), reason: reason)
            }
            let failure = TLSFailure.sorted(reasons)
            guard failure.kind == .peerUnacceptable, let alert = self.alertInTheClear else { return failure }
            return TLSFailure(.alertReceived(alert), reason: failure.reason)
        case SSL_ERROR_ZERO_RETURN: return TLSFailure(.endedInHandshake)
        case SSL_ERROR_SYSCALL where self.transportHasEnded: return TLSFailure(.endedInHandshake)
        default: return TLSFailure(.unexpectedWait(code: code), reason: reasons.first)
        }
    }
}
