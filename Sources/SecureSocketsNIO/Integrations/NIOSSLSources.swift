#if NIOSSLSupport
    import NIOSSL

    // The file cases of NIOSSL's sources and the older callbacks for pre-shared keys are deprecated, but configurations still contain them.
    // They are read in members that are deprecated as well, and called through these protocols, which are not: otherwise the build would
    // warn.

    /// A source of certificates or of a private key that may be a file.
    protocol NIOSSLFileSource {
        /// The path of the file; nil if the source is not a file.
        var path: String? { get }
    }

    extension NIOSSLCertificateSource: NIOSSLFileSource {
        @available(*, deprecated) var path: String? { if case .file(let path) = self { path } else { nil } }
    }

    extension NIOSSLPrivateKeySource: NIOSSLFileSource {
        @available(*, deprecated) var path: String? { if case .file(let path) = self { path } else { nil } }
    }

    /// A configuration that may have the older callbacks for pre-shared keys.
    protocol NIOSSLPreSharedKeySource {
        var hasClientCallback: Bool { get }
        var hasServerCallback: Bool { get }
    }

    extension NIOSSL.TLSConfiguration: NIOSSLPreSharedKeySource {
        @available(*, deprecated) var hasClientCallback: Bool { self.pskClientCallback != nil }
        @available(*, deprecated) var hasServerCallback: Bool { self.pskServerCallback != nil }
    }

    extension NIOSSLFileSource {
        /// The path of the file, without a warning that files are deprecated.
        var filePath: String? { self.path }
    }

    extension NIOSSLPreSharedKeySource {
        /// Whether there is an older callback of a client, without a warning that it is deprecated.
        var hasOlderClientCallback: Bool { self.hasClientCallback }
        /// Whether there is an older callback of a server, without a warning that it is deprecated.
        var hasOlderServerCallback: Bool { self.hasServerCallback }
    }

    extension NIOSSLPrivateKey {
        /// Whether a program implements the key, by a ``NIOSSLCustomPrivateKey``. Such a key may have DER bytes as well, but its functions
        /// must sign.
        ///
        /// NIOSSL has no public property for this. A key of BoringSSL is equal to a copy that is made of its bytes. A custom key is equal
        /// to none of BoringSSL.
        ///
        /// - Parameter bytes: The key's `derBytes`.
        func isCustom(with bytes: [UInt8]) -> Bool {
            // NIOSSL does not accept an empty list of bytes.
            guard !bytes.isEmpty, let copy = try? NIOSSLPrivateKey(bytes: bytes, format: .der) else { return true }
            return copy != self
        }
    }
#endif
