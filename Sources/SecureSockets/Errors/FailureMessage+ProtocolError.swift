import TLSEngine

extension FailureMessage {
    /// Describes a BoringSSL reason that needs no more than its name; nil for reasons that say only that the peer violated TLS.
    ///
    /// - Parameter isOpen: Whether the handshake had been completed.
    init?(protocolError reason: String, _ role: TLSSettings.Role, isOpen: Bool) {
        guard
            let (text, advice) = Self.tampering(reason) ?? Self.records(reason, isOpen: isOpen) ?? Self.messages(
                reason, role, isOpen: isOpen)
                ?? Self.choices(reason, role)
        else { return nil }
        self.init("\(text) (\(reason))", advice)
    }

    private static let middlebox =
        "Look for a proxy or another device in between that changes bytes, and try another way to the peer"

    /// Describes keys, signatures or digests that do not match.
    private static func tampering(_ reason: String) -> (String, String?)? {
        switch reason {
        case "DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "BAD_DECRYPT", "DECRYPTION_FAILED":
            ("a record was changed on its way, or encrypted with another key", self.middlebox)
        // Finished and the binders of sessions (RFC 8446 §4.4.4, §4.2.11.2).
        case "DIGEST_CHECK_FAILED":
            (
                "the two sides saw different handshake messages: one was changed on its way, or the peer's TLS is at fault",
                self.middlebox
            )
        // ServerKeyExchange and CertificateVerify (RFC 5246 §7.4.3, RFC 8446 §4.4.3).
        case "BAD_SIGNATURE":
            (
                "its signature does not match its certificate: it has another private key, or the handshake was changed on its way",
                "Have the peer check that its key belongs to its certificate"
            )
        // RFC 8446 §4.1.3.
        case "TLS13_DOWNGRADE", "DOWNGRADE_DETECTED":
            ("it has TLS 1.3 and was made to choose an older version: the handshake was changed on its way", self.middlebox)
        // RFC 7507 §3.
        case "INAPPROPRIATE_FALLBACK":
            (
                "it tries again with an older version of TLS than this server has, as clients do after a failed attempt",
                "Find out why its first attempt failed: it, or something in between, may not tolerate TLS 1.3"
            )
        default: nil
        }
    }

    /// Describes faults in records (RFC 8446 §5).
    private static func records(_ reason: String, isOpen: Bool) -> (String, String?)? {
        switch reason {
        case "WRONG_VERSION_NUMBER", "BAD_PACKET_LENGTH", "INVALID_OUTER_RECORD_TYPE":
            isOpen
                ? (
                    "it sent something that is not a TLS record",
                    "Something may write to the connection beside TLS, or the peer may have continued without it"
                ) : ("it sent something that is not a TLS record of the version that was chosen", self.middlebox)
        case "ENCRYPTED_LENGTH_TOO_LONG", "DATA_LENGTH_TOO_LONG", "RECORD_TOO_LARGE":
            ("it sent a record that is longer than 16384 bytes and its overhead, the limit of TLS", nil)
        case "TOO_MANY_EMPTY_FRAGMENTS": ("it sent too many records without content in a row", nil)
        case "TOO_MANY_WARNING_ALERTS": ("it sent too many warning alerts in a row", nil)
        case "TOO_MANY_KEY_UPDATES": ("it changed its keys too many times in a row without sending data", nil)
        case "BAD_ALERT", "UNKNOWN_ALERT_TYPE": ("it sent an alert that cannot be read", nil)
        case "UNEXPECTED_RECORD": ("it sent a record of an unexpected type", nil)
        case "BAD_CHANGE_CIPHER_SPEC": ("its change of ciphers cannot be read", nil)
        default: nil
        }
    }

    /// Describes faults in handshake messages (RFC 8446 §4).
    private static func messages(_ reason: String, _ role: TLSSettings.Role, isOpen: Bool) -> (String, String?)? {
        switch reason {
        case "UNEXPECTED_MESSAGE":
            if isOpen, role == .client {
                // RFC 8446 §4.6.2: a server may request it only of clients that offer it.
                (
                    "after the handshake it sent an unexpected message, such as a request for a client certificate",
                    "If the server asks for client certificates, have it ask in the handshake"
                )
            } else {
                ("it sent an unexpected message", nil)
            }
        case "BAD_HELLO_REQUEST": ("after the handshake it sent an unexpected message", nil)
        case "EXCESSIVE_MESSAGE_SIZE": ("after the handshake it sent a message that is too long", nil)
        case "EXCESS_HANDSHAKE_DATA": ("it sent more handshake data than is allowed before its keys change", nil)
        case "CANNOT_PARSE_LEAF_CERT": ("its certificate cannot be read", "Have the peer use another certificate")
        case "DECODE_ERROR", "CLIENTHELLO_PARSE_FAILED", "LENGTH_MISMATCH", "CERT_LENGTH_MISMATCH", "BAD_LENGTH",
            "EXTRA_DATA_IN_MESSAGE",
            "PARSE_TLSEXT", "CLIENTHELLO_TLSEXT", "ERROR_PARSING_EXTENSION", "INVALID_MESSAGE", "CA_DN_TOO_LONG",
            "ERROR_IN_RECEIVED_CIPHER_LIST":
            ("it sent a message, or a certificate in one, that cannot be read", nil)
        case "MISSING_EXTENSION", "MISSING_KEY_SHARE": ("an extension that TLS requires is missing in its message", nil)
        case "DUPLICATE_EXTENSION", "DUPLICATE_KEY_SHARE", "DUPLICATE_SIGNATURE_ALGORITHM":
            ("its message has an element twice that may occur once", nil)
        case "BAD_ECPOINT", "BAD_RSA_ENCRYPT": ("its part of the key exchange is not a valid one", nil)
        case "INVALID_COMPRESSION_LIST": ("it offers compression, which TLS 1.3 prohibits, or no uncompressed connection", nil)
        case "RENEGOTIATION_MISMATCH", "RENEGOTIATION_ENCODING_ERR":
            // RFC 5746 §3.4, §3.6: the sign of a handshake that was injected into another connection.
            (
                "its handshake is the second one of another connection: an attacker in between may have joined the two",
                self.middlebox
            )
        default: nil
        }
    }

    /// Describes a peer that has chosen something it may not, or accepts nothing that this side supports.
    private static func choices(_ reason: String, _ role: TLSSettings.Role) -> (String, String?)? {
        switch reason {
        case "UNKNOWN_CIPHER_RETURNED", "WRONG_CIPHER_RETURNED": ("it chose a cipher suite that was not offered", nil)
        case "WRONG_CURVE", "UNSUPPORTED_ELLIPTIC_CURVE": ("it chose a key exchange group that was not offered", nil)
        case "WRONG_SIGNATURE_TYPE": ("it signed with an algorithm that was not offered", nil)
        case "WRONG_CERTIFICATE_TYPE", "BAD_ECC_CERT":
            ("the key of its certificate does not fit what was negotiated", "Have the peer use a certificate with another key")
        case "INVALID_ALPN_PROTOCOL": ("it chose an application protocol that was not offered", nil)
        case "UNEXPECTED_EXTENSION": ("it answered an extension that was not offered", nil)
        case "UNSUPPORTED_COMPRESSION_ALGORITHM": ("it chose compression, which is refused here", nil)
        case "SERVER_ECHOED_INVALID_SESSION_ID", "OLD_SESSION_CIPHER_NOT_RETURNED", "OLD_SESSION_VERSION_NOT_RETURNED",
            "OLD_SESSION_PRF_HASH_MISMATCH", "ATTEMPT_TO_REUSE_SESSION_IN_DIFFERENT_CONTEXT",
            "RESUMED_EMS_SESSION_WITHOUT_EMS_EXTENSION", "RESUMED_NON_EMS_SESSION_WITH_EMS_EXTENSION":
            (
                "it resumes an earlier session with other parameters than the session's",
                "Connect again; if it fails again, turn off resumption"
            )
        case "UNKNOWN_CERTIFICATE_TYPE", "NO_COMMON_SIGNATURE_ALGORITHMS":
            role == .client
                ? (
                    "it asks for a client certificate, and accepts none with a key of the kind that this client has",
                    "Use an identity with another kind of key, RSA or ECDSA"
                )
                : (
                    "it accepts no certificate with a key of the kind that this server has",
                    "Use an identity with another kind of key"
                )
        default: nil
        }
    }
}
