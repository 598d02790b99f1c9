internal import CNIOBoringSSL
import Synchronization

/// A certificate revocation list (RFC 5280 §5) that is complete for its scope.
///
/// Sendable without a check because the list is not changed after `init`. BoringSSL sorts the entries at the first look-up, which `init`
/// performs; later look-ups, also concurrent ones, only read.
final class RevocationList: @unchecked Sendable {
    let description: RevocationListDescription
    /// The digest of the encoding (SHA-256).
    let digest: [UInt8]
    private let pointer: OpaquePointer
    private let scope: RevocationListScope
    private let hashOfSignature: Int32
    /// The serial numbers of entries that end a revocation. Only delta lists may have them (RFC 5280 §5.3.1), and they do not count.
    private let releasedSerialNumbers: Set<[UInt8]>
    /// The issuers' keys with which the signature was verified, and whether it was valid. The oldest is dropped.
    private let verifiedKeys = Mutex<[(key: [UInt8], isValid: Bool)]>([])
    /// The number of keys for which the result of verifying the signature is kept. An authority has one key, or two while it replaces it.
    private static let verifiedKeysKept = 8

    private let lastReport = Mutex<UInt64?>(nil)
    /// The least number of seconds between reports of an outdated list.
    private static let reportInterval: UInt64 = 3600

    enum Fault: Error {
        case malformed(LibraryReason?)
        case unsupported(RevocationListFeature, issuer: String)
    }

    /// Decodes a list in DER.
    init(der: [UInt8]) throws(Fault) {
        ErrorQueue.clear()
        let decoded = der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            var position = bytes.baseAddress
            guard let list = d2i_X509_CRL(nil, &position, bytes.count) else { return nil }
            guard position == bytes.baseAddress.map({ $0 + bytes.count }) else {
                X509_CRL_free(list)
                return nil
            }
            return list
        }
        guard let decoded else { throw .malformed(ErrorQueue.drain().first) }
        let issuer = distinguishedName(X509_CRL_get_issuer(decoded))
        do throws(RevocationListFeature) {
            let (number, scope) = try decoded.numberAndScope()
            let entries = try decoded.checkedEntries()
            guard let thisUpdate = posixTime(X509_CRL_get0_lastUpdate(decoded)) else { throw .malformedExtension }
            let nextUpdate = X509_CRL_get0_nextUpdate(decoded)
            let nextTime = posixTime(nextUpdate)
            if nextUpdate != nil, nextTime == nil { throw .malformedExtension }
            self.scope = scope
            self.releasedSerialNumbers = entries.released
            self.description = RevocationListDescription(
                issuer: issuer, number: number, thisUpdate: thisUpdate, nextUpdate: nextTime, entryCount: entries.count)
        } catch {
            X509_CRL_free(decoded)
            throw .unsupported(error, issuer: issuer)
        }
        self.pointer = decoded
        var hash = NID_undef
        self.hashOfSignature = OBJ_find_sigid_algs(X509_CRL_get_signature_nid(decoded), &hash, nil) == 1 ? hash : NID_undef
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256(der, der.count, &digest)
        self.digest = digest
        self.sortEntries()
    }

    deinit { X509_CRL_free(self.pointer) }

    private func sortEntries() {
        guard let entry = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(self.pointer), 0) else { return }
        _ = X509_CRL_get0_by_serial(self.pointer, nil, X509_REVOKED_get0_serialNumber(entry))
    }

    /// A value that is the same for equal names. Different names may have the same.
    var issuerHash: UInt32 { X509_NAME_hash(X509_CRL_get_issuer(self.pointer)) }

    func isIssued(by name: OpaquePointer?) -> Bool { X509_NAME_cmp(X509_CRL_get_issuer(self.pointer), name) == 0 }

    /// Whether a certificate of the list's issuer is in the list's scope.
    func covers(_ certificate: OpaquePointer) -> Bool { self.scope.includes(certificate) }

    /// Whether the list is signed with a hash function for which forgeries can be made.
    func hasWeakSignature(allowing legacy: LegacyCertificateOptions) -> Bool {
        self.hashOfSignature == NID_sha1 && !legacy.contains(.sha1Signatures)
    }

    /// Returns the revocation of a certificate of the list's issuer; nil if the list does not have it.
    func revocation(of certificate: OpaquePointer) -> Revocation? {
        var entry: OpaquePointer?
        guard X509_CRL_get0_by_cert(self.pointer, &entry, certificate) == 1, let entry else { return nil }
        if self.releasedSerialNumbers.contains(serialNumber(X509_get0_serialNumber(certificate))) { return nil }
        return Revocation(time: posixTime(X509_REVOKED_get0_revocationDate(entry)), reason: (try? entry.reason()) ?? nil)
    }

    /// Whether the list is signed with the key of this certificate.
    ///
    /// Verifying hashes the whole list, so the result is kept for each key.
    func isSigned(by issuer: OpaquePointer) -> Bool {
        let key = withOutputBytes { i2d_X509_PUBKEY(X509_get_X509_PUBKEY(issuer), $0) }
        let known = self.verifiedKeys.withLock { $0.first { $0.key == key }?.isValid }
        if let known { return known }
        guard let publicKey = X509_get0_pubkey(issuer) else { return false }
        defer { ErrorQueue.clear() }
        let isValid = X509_CRL_verify(self.pointer, publicKey) == 1
        self.verifiedKeys.withLock { keys in
            if keys.count == Self.verifiedKeysKept { keys.removeFirst() }
            keys.append((key, isValid))
        }
        return isValid
    }

    /// Whether to report now that the list is outdated: at most once an hour.
    func isDueForReport(at now: UInt64) -> Bool {
        self.lastReport.withLock { last in
            if let last, now < last + Self.reportInterval { return false }
            last = now
            return true
        }
    }
}

/// The fields of a revocation list that messages quote.
package struct RevocationListDescription: Sendable, Hashable {
    /// The issuer's distinguished name (RFC 2253).
    package let issuer: String
    /// The bytes of the list's number, the most significant first; nil if it has none.
    package let number: [UInt8]?
    /// In seconds since 1970-01-01 UTC.
    package let thisUpdate: Int64
    /// In seconds since 1970-01-01 UTC; nil if the list does not say when the next one is due.
    package let nextUpdate: Int64?
    /// The number of revoked certificates.
    package let entryCount: Int
}

/// The revocation of one certificate.
package struct Revocation: Sendable, Hashable {
    /// In seconds since 1970-01-01 UTC.
    package let time: Int64?
    /// The reason code (RFC 5280 §5.3.1); nil if the list has none.
    package let reason: Int?
}

/// A property of a revocation list for which it is not supported.
package enum RevocationListFeature: Error, Sendable, Hashable {
    /// The list has changes to another list only.
    case delta
    /// The list has certificates of other issuers.
    case indirect
    /// The list is limited to some reasons.
    case someReasons
    /// The list is for attribute certificates.
    case attributeCertificates
    /// The distribution point is named relative to the issuer.
    case relativeName
    /// The list, or one of its entries, has a critical extension that is not supported.
    case criticalExtension(OID)
    /// An extension or a date cannot be decoded.
    case malformedExtension
}

extension OpaquePointer {
    /// Returns the number and the scope of an `X509_CRL`, and checks its extensions.
    fileprivate func numberAndScope() throws(RevocationListFeature) -> (number: [UInt8]?, scope: RevocationListScope) {
        var number: [UInt8]?
        var scope = RevocationListScope()
        for index in 0..<X509_CRL_get_ext_count(self) {
            guard let ext = X509_CRL_get_ext(self, index), let object = X509_EXTENSION_get_object(ext) else { continue }
            switch OBJ_obj2nid(object) {
            case NID_delta_crl: throw .delta
            case NID_issuing_distribution_point:
                do throws(RevocationListScope.Fault) {
                    scope = try RevocationListScope(issuingDistributionPoint: content(of: ext))
                } catch {
                    throw RevocationListFeature(error)
                }
            // BoringSSL has decoded it. The signature is verified with the issuer's key in any case.
            case NID_authority_key_identifier: break
            case NID_crl_number where X509_EXTENSION_get_critical(ext) == 0:
                var reader = DERReader(content(of: ext)[...])
                number = reader.next(DERReader.Tag.integer).map { Array($0) }
            default:
                if X509_EXTENSION_get_critical(ext) != 0 { throw .criticalExtension(OID(of: object)) }
            }
        }
        return (number, scope)
    }

    /// Checks the extensions of the entries of an `X509_CRL`, and returns their number and the serial numbers that have only entries with
    /// the reason removeFromCRL.
    fileprivate func checkedEntries() throws(RevocationListFeature) -> (count: Int, released: Set<[UInt8]>) {
        let entries = X509_CRL_get_REVOKED(self)
        let count = entries.map { sk_X509_REVOKED_num($0) } ?? 0
        var released: Set<[UInt8]> = []
        for index in 0..<count {
            guard let entry = sk_X509_REVOKED_value(entries, index), X509_REVOKED_get0_extensions(entry) != nil else { continue }
            for index in 0..<X509_REVOKED_get_ext_count(entry) {
                guard let ext = X509_REVOKED_get_ext(entry, index), X509_EXTENSION_get_critical(ext) != 0 else { continue }
                throw .criticalExtension(X509_EXTENSION_get_object(ext).map { OID(of: $0) } ?? OID(content: []))
            }
            if try entry.reason() == Int(CRL_REASON_REMOVE_FROM_CRL) {
                released.insert(serialNumber(X509_REVOKED_get0_serialNumber(entry)))
            }
        }
        guard !released.isEmpty else { return (count, []) }
        for index in 0..<count {
            guard let entry = sk_X509_REVOKED_value(entries, index) else { continue }
            if try entry.reason() != Int(CRL_REASON_REMOVE_FROM_CRL) {
                released.remove(serialNumber(X509_REVOKED_get0_serialNumber(entry)))
            }
        }
        return (count, released)
    }

    /// Returns the reason code of an `X509_REVOKED`; nil if there is none.
    fileprivate func reason() throws(RevocationListFeature) -> Int? {
        var criticality: Int32 = 0
        guard let reason = X509_REVOKED_get_ext_d2i(self, NID_crl_reason, &criticality, nil) else {
            ErrorQueue.clear()
            // -1: there is no such extension.
            guard criticality == -1 else { throw .malformedExtension }
            return nil
        }
        let code = reason.assumingMemoryBound(to: ASN1_ENUMERATED.self)
        defer { ASN1_ENUMERATED_free(code) }
        return Int(ASN1_ENUMERATED_get(code))
    }
}

extension RevocationListFeature {
    fileprivate init(_ fault: RevocationListScope.Fault) {
        switch fault {
        case .indirect: self = .indirect
        case .someReasons: self = .someReasons
        case .attributeCertificates: self = .attributeCertificates
        case .relativeName: self = .relativeName
        case .malformed: self = .malformedExtension
        }
    }
}

private func content(of ext: OpaquePointer) -> [UInt8] {
    guard let content = X509_EXTENSION_get_data(ext) else { return [] }
    return Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data(content), count: Int(ASN1_STRING_length(content))))
}

private func serialNumber(_ number: UnsafePointer<ASN1_INTEGER>?) -> [UInt8] {
    guard let number else { return [] }
    // The type holds the sign.
    let sign: UInt8 = ASN1_STRING_type(number) == V_ASN1_NEG_INTEGER ? 1 : 0
    return [sign] + UnsafeBufferPointer(start: ASN1_STRING_get0_data(number), count: Int(ASN1_STRING_length(number)))
}
