import TLSEngine

extension TLSFiles {
    /// What the files contained at one time.
    public struct Snapshot: Sendable {
        /// The certificate chain and its key, with the OCSP response if a path was given for it. The first of ``identities``.
        public let identity: TLSIdentity
        /// The identities, in the order in which their files were given.
        public var identities: [TLSIdentity] { self.loaded.map(\.identity) }
        /// The trusted certificates; nil if no file was given for them. With revocation lists, they refuse revoked certificates of the whole
        /// chain, and those whose issuer has no list that is up to date.
        ///
        /// For another extent of the check, or other rules for outdated lists, use
        /// ``TLSTrust/checkingRevocation(with:of:outdated:missing:)`` of this trust with ``revocationLists``, which replaces the check.
        public var clientTrust: TLSTrust? { self.trust.trust }
        /// The revocation lists; nil if no path was given for them.
        public var revocationLists: RevocationLists? { self.trust.lists }
        /// The errors for contents that cannot be used, which former contents replace; or which, as an OCSP response, are left out. Empty if
        /// all files were loaded.
        public let problems: [SecureSocketError]

        let loaded: [LoadedIdentity]
        let trust: TrustFiles.Loaded
        let digest: ContentDigest

        /// - Throws: `identityMissing` if there is no identity.
        init(
            _ identities: [LoadedIdentity], _ trust: TrustFiles.Loaded, problems: [SecureSocketError], digest: ContentDigest
        ) throws(SecureSocketError) {
            guard let first = identities.first else {
                throw SecureSocketError(
                    .identityMissing, blame: .configuration, step: .configuring, "no files of an identity are given",
                    advice: "Give the files of at least one identity")
            }
            self.identity = first.identity
            self.loaded = identities
            self.trust = trust
            self.problems = problems
            self.digest = digest
        }

        /// Whether the same contents are used in both.
        func isSame(as other: Snapshot) -> Bool {
            self.loaded.map(\.digest) == other.loaded.map(\.digest) && self.trust.isSame(as: other.trust)
        }

        /// The earliest end of the validity periods in the chains, in seconds since 1970-01-01 UTC; nil if none can be decoded. It may be in the
        /// past: expired certificates are loaded.
        public var notAfter: Int64? { self.identities.flatMap(\.certificates).compactMap(\.notAfter).min() }
    }

    /// A change of the files, or a problem with them.
    public struct Event: Sendable, CustomStringConvertible {
        /// The kind of an event. New kinds may be added in any version.
        public struct Kind: Sendable, Hashable, CustomStringConvertible {
            private let name: String

            private init(_ name: String) { self.name = name }

            /// The name of the constant, for example `loaded`.
            public var description: String { self.name }

            /// New content is in use: `update` has returned. The event has the snapshot.
            public static let loaded = Kind("loaded")
            /// The files cannot be loaded, for the first time. They may be in the course of being replaced. The event has the error. It is
            /// followed by ``failed``, ``recovered`` or ``updateFailed``.
            public static let retrying = Kind("retrying")
            /// The files could not be loaded three times in succession. The snapshot in use stays in use, unless ``partiallyLoaded`` follows. The
            /// event has the last error.
            public static let failed = Kind("failed")
            /// A part of the new content is in use, after ``failed``: ``Snapshot/problems`` of the event's snapshot says what is not. It is
            /// followed by ``recovered`` when all files can be loaded again.
            public static let partiallyLoaded = Kind("partiallyLoaded")
            /// `update` has thrown an error for new content, which is the event's error; the event also has the snapshot. Further
            /// errors for the same content are not reported.
            public static let updateFailed = Kind("updateFailed")
            /// The problem reported before is over. If the content is new, ``loaded`` follows; otherwise the files have again the
            /// content that is in use.
            public static let recovered = Kind("recovered")
        }

        /// The kind of the event.
        public let kind: Kind
        /// The snapshot of ``Kind-swift.struct/loaded``, ``Kind-swift.struct/partiallyLoaded`` and ``Kind-swift.struct/updateFailed``, with its certificates' fingerprints and
        /// validity; otherwise nil.
        public let snapshot: Snapshot?
        /// The error of ``Kind-swift.struct/retrying`` and ``Kind-swift.struct/failed``, which is a ``SecureSocketError``, and of
        /// ``Kind-swift.struct/updateFailed``; otherwise nil.
        public let error: (any Error)?

        init(_ kind: Kind, snapshot: Snapshot? = nil, error: (any Error)? = nil) {
            self.kind = kind
            self.snapshot = snapshot
            self.error = error
        }

        /// The kind, with the error if there is one.
        public var description: String { self.error.map { "\(self.kind): \($0)" } ?? "\(self.kind)" }
    }
}
