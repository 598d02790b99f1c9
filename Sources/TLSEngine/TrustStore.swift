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

/// The certificates that a verified chain may end in.
///
/// A chain ends in a self-signed certificate of the store; an intermediate in it helps to build the chain but does not end it,
/// unless partial chains are accepted.
///
/// Sendable without a check because the store is filled while it is built and only looked up afterwards, which BoringSSL
/// guards with a lock of its own.
package final class TrustStore: @unchecked Sendable {
    let pointer: OpaquePointer
    /// The certificates themselves: what a server names in its certificate request.
    let certificates: CertificateList
    /// Where the certificates came from, for people: a path, a list of paths, or `bytes`.
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

    /// Certificates in DER.
    package convenience init(der certificates: [[UInt8]]) throws(CredentialError) {
        try self.init(
            CertificateList(der: certificates, as: .trustedCertificates), origin: "certificates given by the program",
            isSystem: false)
    }

    /// The certificates of all of these stores. One store alone is itself.
    package static func joining(_ stores: [TrustStore]) throws(CredentialError) -> TrustStore {
        if let only = stores.first, stores.count == 1 { return only }
        let all = stores.flatMap(\.certificates.pointers)
        for certificate in all { X509_up_ref(certificate) }
        return try TrustStore(
            CertificateList(taking: all), origin: stores.map(\.origin).joined(separator: ", "),
            isSystem: stores.contains(where: \.isSystem))
    }

    /// Whether a server may name the authorities to its clients: those of the system are too many.
    package var canBeNamed: Bool { !self.isSystem }

    /// Whom a server names when it asks for a certificate.
    var authoritiesToName: [OpaquePointer] { self.isSystem ? [] : self.certificates.pointers }

    package var count: Int { self.certificates.pointers.count }

    /// A digest of the certificates (SHA-256): what sessions are tied to.
    let digest: [UInt8]
}

// MARK: The system's store

extension TrustStore {
    /// Files that hold all trusted certificates, by system; the first that exists counts.
    private static let systemFiles = [
        "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Arch
        "/etc/pki/tls/certs/ca-bundle.crt",  // Fedora, RHEL 6
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // RHEL 7 and later
        "/etc/ssl/ca-bundle.pem",  // openSUSE
        "/etc/pki/tls/cacert.pem",  // OpenELEC
        "/etc/ssl/cert.pem",  // Alpine, macOS
    ]

    /// Folders with one certificate a file, looked into where no such file exists.
    private static let systemFolders = ["/etc/ssl/certs", "/etc/pki/tls/certs"]

    /// Trust of the system. `SSL_CERT_FILE` and `SSL_CERT_DIR` (a list of folders, separated by colons) take the place of the
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

    /// What `loadSystem` reads. A folder counts as changed when files are added, removed or replaced by others of their name.
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

    /// Loads the certificates of a folder. Files without certificates are skipped. A lack of descriptors or memory is an error, because
    /// skipping files then would omit certificates.
    private static func certificates(inFolder folder: String) throws(CredentialError) -> [CertificateList] {
        guard let directory = opendir(folder) else {
            throw CredentialError(item: .trustedCertificates, path: folder, problem: .unreadable(errno: errno))
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        var lists: [CertificateList] = []
        for name in names.sorted() {
            do {
                lists.append(try CertificateList.load(.file(path: "\(folder)/\(name)"), as: .trustedCertificates))
            } catch {
                if error.isAboutResources { throw error }
            }
        }
        return lists
    }
}
