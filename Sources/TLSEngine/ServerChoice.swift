internal import CNIOBoringSSL

/// What a server has chosen, from its handshake messages as they arrive at a client. Used for errors: BoringSSL does not report the value
/// that it rejects, and discards the message.
struct ServerChoice {
    private(set) var version: UInt16?
    private(set) var cipherSuite: UInt16?
    /// The group of a ServerHello or ServerKeyExchange, or the one that a HelloRetryRequest asks for.
    private(set) var group: UInt16?
    /// Whether `group` is from a HelloRetryRequest (RFC 8446 §4.1.4).
    private(set) var asksForGroup = false
    /// The algorithm of the server's signature.
    private(set) var signatureAlgorithm: UInt16?
    private(set) var applicationProtocol: String?

    /// The value `named_curve` of `ECCurveType`.
    private static let namedCurve: UInt8 = 3

    /// Reads a handshake message with its header (RFC 8446 §4), as far as it can be parsed.
    mutating func read(_ message: UnsafeRawBufferPointer) {
        guard let type = message.first, message.count > 4 else { return }
        var body = VectorReader(message[4...])
        switch Int32(type) {
        case SSL3_MT_SERVER_HELLO: self.readServerHello(&body)
        case SSL3_MT_ENCRYPTED_EXTENSIONS: self.readExtensions(&body)
        case SSL3_MT_SERVER_KEY_EXCHANGE:
            // RFC 8422 §5.4: a curve by name, the public key, and the algorithm of the signature.
            guard body.take(1)?.first == Self.namedCurve else { return }
            self.group = body.uint16()
            self.signatureAlgorithm = body.vector8() == nil ? nil : body.uint16()
        case SSL3_MT_CERTIFICATE_VERIFY: self.signatureAlgorithm = body.uint16()
        default: break
        }
    }

    private mutating func readServerHello(_ body: inout VectorReader<Slice<UnsafeRawBufferPointer>>) {
        // RFC 8446 §4.1.3: the version, 32 bytes at random, the session ID, the suite, no compression, extensions.
        self.version = body.uint16()
        guard body.take(32) != nil, body.vector8() != nil else { return }
        self.cipherSuite = body.uint16()
        guard body.take(1) != nil else { return }
        self.readExtensions(&body)
    }

    private mutating func readExtensions(_ body: inout VectorReader<Slice<UnsafeRawBufferPointer>>) {
        guard var extensions = body.vector16().map(VectorReader.init) else { return }
        while let type = extensions.uint16(), let content = extensions.vector16() {
            let length = content.count
            var content = VectorReader(content)
            switch Int32(type) {
            case TLSEXT_TYPE_supported_versions: self.version = content.uint16()
            case TLSEXT_TYPE_key_share:
                self.group = content.uint16()
                self.asksForGroup = length == 2
            case TLSEXT_TYPE_application_layer_protocol_negotiation:
                var names = VectorReader(content.vector16() ?? content.rest.prefix(0))
                self.applicationProtocol = names.vector8().map { String(decoding: $0, as: UTF8.self) }
            default: break
            }
        }
    }

    var offer: TLSOffer {
        var offer = TLSOffer()
        offer.versions = self.version.map { [$0] } ?? []
        offer.cipherSuites = self.cipherSuite.map { [$0] } ?? []
        offer.groups = self.group.map { [$0] } ?? []
        offer.signatureAlgorithms = self.signatureAlgorithm.map { [$0] } ?? []
        offer.applicationProtocols = self.applicationProtocol.map { [$0] } ?? []
        return offer
    }
}

/// Reads the messages of a client's server. BoringSSL calls this for each message and record, also for those that this side sends.
func noteServerMessage(
    isWritten: Int32, version: Int32, contentType: Int32, bytes: UnsafeRawPointer?, count: Int, ssl: OpaquePointer?,
    argument: UnsafeMutableRawPointer?
) {
    guard isWritten == 0, contentType == SSL3_RT_HANDSHAKE, let ssl, let engine = TLSEngine.of(ssl), engine.isInHandshake else {
        return
    }
    engine.serverChoice.read(UnsafeRawBufferPointer(start: bytes, count: count))
}
