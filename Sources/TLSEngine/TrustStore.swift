internal import CNIOBoringSSL

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The certificates in which a verified chain may end.
///
/// A chain ends in a self-signed certificate of the store. An intermediate in the store helps to build the chain but does not end it,
/// unless partial chains are accepted.
///
/// Sendable without a check because the store is filled only while it is built. Later look-ups are protected by BoringSSL's own lock.
package final class TrustStore: @unchecked Sendable {
    let pointer: OpaquePointer
    /// The certificates themselves, for a server's certificate request.
    let certificates: CertificateList
    /// The origin of the certificates for error messages: a path, a list of paths, or `bytes`.
    package let origin: String
    private let isSystem: Bool

    private init(_ certificates: CertificateList, origin: String, isSystem: Bool) throws(CredentialError) {
        ErrorQueue.clear()
        guard let store = X509_STORE_new() else {
            throw CredentialError(item: .trustedCertificates, path: nil, problem: .refused(ErrorQueue.drain().first))
        }
        self.pointer = store
        self.certificates = certificates
        self.origin = origin
        self.isSystem = isSystem
        self.digest = certificates.digest
        for certificate in certificates.pointers where X509_STORE_add_cert(store, certificate) != 1 {
            throw CredentialError(item: .trustedCertificates, path: origin, problem: .refused(ErrorQueue.drain().first))
        }
    }

    deinit { X509_STORE_free(self.pointer) }

    package convenience init(_ source: PEMInput) throws(CredentialError) {
        try self.init(
            CertificateList.load(source, as: .trustedCertificates), origin: source.path ?? "bytes given by the program",
            isSystem: false)
    }

    /// Decodes certificates in DER.
    package convenience init(der certificates: [[UInt8]]) throws(CredentialError) {
        try self.init(
            CertificateList(der: certificates, as: .trustedCertificates), origin: "certificates given by the program",
            isSystem: false)
    }

    private struct Key: Hashable {
        let digest: [UInt8]
        let origin: String
        let isSystem: Bool
    }

    private static let inUse = SharedValues<Key, TrustStore>()

    /// This store, or an equal one that is in use.
    private var shared: TrustStore {
        Self.inUse.shared(self, for: Key(digest: self.digest, origin: self.origin, isSystem: self.isSystem))
    }

    /// Returns a store with the certificates of all of these stores: if one is in use that is equal to the result, that one.
    package static func joining(_ stores: [TrustStore]) throws(CredentialError) -> TrustStore {
        if let only = stores.first, stores.count == 1 { return only.shared }
        let all = stores.flatMap(\.certificates.pointers)
        for certificate in all { X509_up_ref(certificate) }
        return try TrustStore(
            CertificateList(taking: all), origin: stores.map(\.origin).joined(separator: ", "),
            isSystem: stores.contains(where: \.isSystem)
        ).shared
    }

    /// Whether a server may name these authorities to its clients. Those of the system are too many.
    package var canBeNamed: Bool { !self.isSystem }

    /// The authorities that a server names when it requests a certificate.
    var authoritiesToName: [OpaquePointer] { self.isSystem ? [] : self.certificates.pointers }

    package var count: Int { self.certificates.pointers.count }

    /// A digest of the certificates (SHA-256), to which sessions are bound.
    let digest: [UInt8]
}

// MARK: The system's store

extension TrustStore {
    /// Files that hold all trusted certificates, by system. The first one that exists is used.
    private static let systemFiles = [
        "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Arch
        "/etc/pki/tls/certs/ca-bundle.crt",  // Fedora, RHEL 6
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // RHEL 7 and later
        "/etc/ssl/ca-bundle.pem",  // openSUSE
        "/etc/pki/tls/cacert.pem",  // OpenELEC
        "/etc/ssl/cert.pem",  // Alpine, macOS
    ]

    /// Folders with one certificate per file, used if none of the files exists.
    private static let systemFolders = ["/etc/ssl/certs", "/etc/pki/tls/certs"]

    /// Loads the system's trusted certificates. `SSL_CERT_FILE` and `SSL_CERT_DIR` (a list of folders, separated by colons) replace the
    /// usual file and folders, as with OpenSSL.
    package static func system(
        cache: SystemStoreCache = .shared,
        environment: (String) -> String? = { name in getenv(name).map { String(cString: $0) } }
    ) throws(CredentialError) -> TrustStore {
        let file = environment("SSL_CERT_FILE").flatMap { $0.isEmpty ? nil : $0 }
        let folders = environment("SSL_CERT_DIR").flatMap { $0.isEmpty ? nil : $0 }
            .map { $0.split(separator: ":").map(String.init) }
        let place = SystemStoreCache.Place(file: file, folders: folders)
        return try cache.store(for: place, from: Self.paths(of: place)) { () throws(CredentialError) in
            try Self.loadSystem(file: file, folders: folders)
        }
    }

    /// Returns the paths that `loadSystem` reads. A folder counts as changed when files are added, removed or replaced by others of the
    /// same name.
    private static func paths(of place: SystemStoreCache.Place) -> [String] {
        if let file = place.file { return [file] + (place.folders ?? []) }
        if let folders = place.folders { return folders }
        return Self.systemFiles.first { access($0, R_OK) == 0 }.map { [$0] } ?? Self.systemFolders
    }

    private static func loadSystem(file: String?, folders: [String]?) throws(CredentialError) -> TrustStore {
        var lists: [CertificateList] = []
        var origins: [String] = []
        if let file {
            do {
                lists.append(try CertificateList.load(.file(path: file), as: .trustedCertificates))
            } catch {
                throw error.from("SSL_CERT_FILE")
            }
            origins.append(file)
        } else if folders == nil, let usual = Self.systemFiles.first(where: { access($0, R_OK) == 0 }) {
            lists.append(try CertificateList.load(.file(path: usual), as: .trustedCertificates))
            origins.append(usual)
        }
        var unreadable: [CredentialError.UnreadableFolder] = []
        for folder in folders ?? (lists.isEmpty ? Self.systemFolders : []) {
            do {
                let found = try Self.certificates(inFolder: folder)
                if found.isEmpty { continue }
                lists.append(contentsOf: found)
                origins.append(folder)
            } catch {
                guard !error.isAboutResources, case .unreadable(let number) = error.problem else { throw error }
                unreadable.append(.init(path: folder, errno: number))
            }
        }
        guard !lists.isEmpty else {
            let places = folders ?? Self.systemFiles + Self.systemFolders
            let error = CredentialError(
                item: .trustedCertificates, path: places.joined(separator: ", "), problem: .nowhereFound(unreadable))
            throw folders == nil ? error : error.from("SSL_CERT_DIR")
        }
        let all = lists.flatMap(\.pointers)
        for certificate in all { X509_up_ref(certificate) }
        return try TrustStore(CertificateList(taking: all), origin: origins.joined(separator: ", "), isSystem: true)
    }

    /// Loads the certificates of a folder. Files without certificates are skipped. Running out of descriptors or memory is an error,
    /// because skipping a file then would omit its certificates.
    private static func certificates(inFolder folder: String) throws(CredentialError) -> [CertificateList] {
        let names: [String]
        do {
            // Without a bound: the folder is the system's.
            names = try FolderListing.names(in: folder, most: .max)
        } catch {
            guard case .unreadable(let number) = error else { return [] }
            throw CredentialError(item: .trustedCertificates, path: folder, problem: .unreadable(errno: number))
        }
        var lists: [CertificateList] = []
        for name in names {
            // Not as a path, because opening a pipe would wait for a writer.
            let file = FileContent(reading: "\(folder)/\(name)", as: .trustedCertificates)
            do {
                lists.append(try CertificateList.load(file.input, as: .trustedCertificates))
            } catch {
                if error.isAboutResources { throw error }
            }
        }
        return lists
    }
}
