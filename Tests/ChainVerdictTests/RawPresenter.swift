internal import CNIOBoringSSL
import Foundation

/// The end of a handshake that presents a chain without reading it, so that certificates which `TLSIdentity` refuses, because they cannot
/// be decoded or are weak, reach the other end.
///
/// It calls BoringSSL itself: what the library refuses to present must not decide what its verification is tested with.
final class RawPresenter {
    struct Failure: Error {
        let call: String
    }

    private let context: OpaquePointer
    private let ssl: OpaquePointer

    /// - Parameter certificates: DER, the leaf first.
    init(_ certificates: [[UInt8]], key pem: String, presenter: ChainCase.Presenter) throws {
        guard let context = SSL_CTX_new(TLS_with_buffers_method()) else { throw Failure(call: "SSL_CTX_new") }
        // Whatever a server presents is accepted; clients are not asked.
        SSL_CTX_set_custom_verify(context, presenter == .client ? SSL_VERIFY_PEER : SSL_VERIFY_NONE) { _, _ in ssl_verify_ok }
        do {
            try Self.set(certificates, key: pem, in: context)
        } catch {
            SSL_CTX_free(context)
            throw error
        }
        guard let ssl = SSL_new(context) else {
            SSL_CTX_free(context)
            throw Failure(call: "SSL_new")
        }
        self.context = context
        self.ssl = ssl
        // The connection owns both.
        SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()))
        switch presenter {
        case .server: SSL_set_accept_state(ssl)
        case .client: SSL_set_connect_state(ssl)
        }
    }

    deinit {
        SSL_free(self.ssl)
        SSL_CTX_free(self.context)
    }

    private static func set(_ certificates: [[UInt8]], key pem: String, in context: OpaquePointer) throws {
        let bytes = Array(pem.utf8)
        guard let text = BIO_new_mem_buf(bytes, bytes.count) else { throw Failure(call: "BIO_new_mem_buf") }
        defer { BIO_free(text) }
        guard let key = PEM_read_bio_PrivateKey(text, nil, nil, nil) else { throw Failure(call: "PEM_read_bio_PrivateKey") }
        defer { EVP_PKEY_free(key) }
        var buffers = certificates.map { CRYPTO_BUFFER_new($0, $0.count, nil) }
        defer { for buffer in buffers { CRYPTO_BUFFER_free(buffer) } }
        guard SSL_CTX_set_chain_and_key(context, &buffers, buffers.count, key, nil) == 1 else {
            throw Failure(call: "SSL_CTX_set_chain_and_key")
        }
    }

    /// Takes bytes of the other end, and returns those to send.
    func step(_ received: [UInt8]) -> [UInt8] {
        BIO_write(SSL_get_rbio(self.ssl), received, CInt(received.count))
        // Whether the handshake is complete or has failed, the other end learns from the bytes.
        SSL_do_handshake(self.ssl)
        ERR_clear_error()
        var bytes = [UInt8](repeating: 0, count: BIO_pending(SSL_get_wbio(self.ssl)))
        BIO_read(SSL_get_wbio(self.ssl), &bytes, CInt(bytes.count))
        return bytes
    }
}
