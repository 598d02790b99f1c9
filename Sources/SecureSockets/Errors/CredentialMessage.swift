package import TLSEngine

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

extension SecureSocketError {
    /// Creates the error for a certificate, a key or trusted certificates that could not be loaded.
    package init(_ error: CredentialError) {
        let message = CredentialMessage(error)
        if case .unreadable(let number) = error.problem, [EMFILE, ENFILE, ENOMEM].contains(number) {
            // The file itself is not at fault.
            self = .system(number, step: .configuring, "\(message.place): cannot be read")
            return
        }
        let code: Code =
            switch error.item {
            case .archive where error.problem == .passwordWrong: .privateKeyUnusable
            case .certificateChain, .archive, .ocspResponse: .certificateUnusable
            case .privateKey: .privateKeyUnusable
            case .trustedCertificates, .revocationLists: .trustUnusable
            case .ticketSecret, .ticketKeys, .sessions: .invalidConfiguration
            }
        let isMismatch = if case .keyMismatch = error.problem { true } else { false }
        self.init(
            isMismatch ? .privateKeyMismatch : code, blame: .configuration, step: .configuring,
            "\(message.place): \(message.text)", advice: message.advice, errorNumber: message.errorNumber,
            libraryReason: message.reason?.name)
    }
}

/// The message for a file that could not be loaded: the fault, and what to do next. Text from the file is escaped.
private struct CredentialMessage {
    private let item: CredentialError.Item
    private let path: String?
    private let variable: String?
    private(set) var text = ""
    private(set) var advice: String?
    private(set) var errorNumber: Int32?
    private(set) var reason: LibraryReason?

    init(_ error: CredentialError) {
        self.item = error.item
        self.path = error.path
        self.variable = error.variable
        switch error.problem {
        case .unreadable(let number): self.sayUnreadable(number)
        case .pathWithNUL:
            self.say(
                "cannot be read: the path contains a NUL character, which a file name cannot", "Check where the path comes from")
        case .isDirectory: self.say("is a folder, not a file", "Name the file in it")
        case .notRegularFile: self.say("is not a regular file, but a pipe, a socket or a device", "Name a regular file")
        case .nothingGiven: self.say("there is none", "Give at least one certificate")
        case .empty: self.say("is empty", "Give a PEM file")
        case .tooLarge(let limit): self.say("is larger than \(limit >> 20) MiB; it cannot be a PEM file of this kind")
        case .folderTooLarge(let files, let bytes):
            self.say(
                "has more than \(files) files, or more than \(bytes >> 20) MiB of them", "Name a folder with these lists only")
        case .nothingKnown: self.say("holds nothing in PEM", "A PEM file has lines like \(self.exampleLine)")
        case .otherForm(let form): self.say(form)
        case .malformed(let fault): self.say(fault)
        case .otherBlocks(let labels): self.sayOtherBlocks(labels)
        case .blockNotRead(let label, let line): self.sayBlockNotRead(label, line)
        case .openSSHKey(let key): self.say(key)
        case .malformedCertificate(let index, let line, let fault, let reason):
            self.say(fault, of: "certificate \(index + 1)\(Self.place(ofLine: line))", isBlock: line != nil, reason)
        case .malformedKey(let line, let fault, let reason):
            self.say(fault, of: "the key\(line.map { " on line \($0)" } ?? "")", isBlock: line != nil, reason)
        case .notAnArchive(let form, let isPEM):
            self.say(
                "is not a PKCS#12 archive, but \(isPEM ? "PEM text" : form.map(Self.name) ?? "in an unknown format")",
                isPEM ? "Use TLSIdentity(certificateChain:privateKey:)" : "Give a file that ends in .p12 or .pfx")
        case .malformedArchive(let reason):
            self.reason = reason
            self.say("cannot be read\(Self.hint(reason))", "Is the file complete? Export it again, with AES-256 and SHA-256")
        case .archiveWithout(let item):
            self.say(
                item == .privateKey ? "has no private key" : "has no certificate that belongs to its private key",
                "Export the certificate together with its private key")
        case .unsupportedKey(let kind): self.say(kind)
        case .passwordMissing: self.say("is encrypted, and no password was given", "Give the password")
        case .passwordWrong: self.say("is encrypted, and the password is wrong", "Check the password")
        case .passwordTooLong(let limit):
            self.say(
                "is encrypted, and the password is longer than \(limit) bytes, which is the most that is supported",
                "Encrypt the key with a shorter password")
        case .unsupportedEncryption(let encryption): self.say(encryption)
        case .keyMismatch(let mismatch): self.say(mismatch)
        case .malformedExtension(let subject):
            self.say(
                "the first certificate\(Self.parenthesis(subject)) has an extension that cannot be decoded", "Have it reissued")
        case .keyUsage(let usage, let subject): self.say(usage, subject)
        case .weak(let weakness, let index, let subject): self.say(weakness, index, subject)
        case .refused(let reason):
            self.reason = reason
            self.say("was refused by the TLS library\(reason.map { " (\($0.name))" } ?? "")")
        case .noRevocationList: self.say("there is none", "Give at least one certificate revocation list")
        case .tooManyRevocationLists(let limit):
            self.say(
                "there are more than \(limit)",
                "Remove lists that have been replaced, and those of authorities that are not trusted")
        case .malformedRevocationList(let index, let line, let fault, let reason):
            self.say(
                fault, of: "list \(index + 1)\(Self.place(ofLine: line))", isBlock: line != nil, reason)
        case .unsupportedRevocationList(let index, let line, let feature, let issuer):
            self.say(feature, of: "list \(index + 1)\(Self.place(ofLine: line))\(Self.parenthesis(issuer))")
        case .responseWithoutCertificate:
            self.say("there is no certificate that it could be about", "Load the identity with its certificate chain")
        case .unusableResponse(let fault, let subject):
            let message = OCSPResponseMessage(fault)
            self.say("\(message.text)\(Self.certificate(subject))", message.advice)
        case .nowhereFound(let unreadable):
            let reasons = unreadable.map { "; \($0.path.escapedForDisplay): \(SystemError.text(of: $0.errno))" }
            self.say(
                self.variable == nil ? "none were found there" : "none were found there\(reasons.joined())",
                "Install the system's package ca-certificates, or name a file with SSL_CERT_FILE or TLSTrust.only")
        }
        if let variable, error.problem.isAboutPath {
            self.advice = "Correct \(variable), or unset it to use the system's certificates"
        }
    }

    /// The item and its path.
    var place: String {
        let noun =
            switch self.item {
            case .certificateChain: "certificate chain"
            case .privateKey: "private key"
            case .trustedCertificates: "trusted certificates"
            case .archive: "PKCS#12 archive"
            case .revocationLists: "revocation lists"
            case .ocspResponse: "OCSP response"
            case .ticketSecret: "secret for sessions"
            case .ticketKeys: "ticket key file"
            case .sessions: "exported sessions"
            }
        let source = self.variable.map { " (from \($0))" } ?? ""
        return self.path.map { "\(noun) \($0.escapedForDisplay)\(source)" } ?? noun
    }

    private static func place(ofLine line: Int?) -> String { line.map { " of the file (line \($0))" } ?? "" }

    private var isKey: Bool { self.item == .privateKey }
    private var isRevocationLists: Bool { self.item == .revocationLists }

    private var exampleLine: String {
        "-----BEGIN \(self.isKey ? "PRIVATE KEY" : self.isRevocationLists ? "X509 CRL" : "CERTIFICATE")-----"
    }

    private static let swapped = "Are the certificate's and the key's file swapped?"

    private mutating func say(_ text: String, _ advice: String? = nil) {
        self.text = text
        self.advice = advice
    }

    private mutating func say(_ text: String, convertWith command: ConversionCommand) {
        self.say(text, "Convert it: \(command)")
    }

    // MARK: The file

    private mutating func sayUnreadable(_ number: Int32) {
        self.errorNumber = number
        self.say("cannot be read: \(SystemError.text(of: number))", "Check the path and its permissions")
    }

    private mutating func say(_ form: FileForm) {
        let path = self.path
        if self.item == .ocspResponse {
            let name = Self.hasName(form) ? Self.name(of: form) : "in another format"
            self.say("is \(name); an OCSP response in DER is expected", "Give the file that openssl ocsp -respout writes")
            return
        }
        if self.isRevocationLists, Self.hasName(form) {
            self.say("is \(Self.name(of: form)), not a revocation list", Self.adviceForOtherThanRevocationLists)
            return
        }
        if self.isRevocationLists, form == .otherDER {
            self.say("is in DER format, but not a revocation list", Self.adviceForOtherThanRevocationLists)
            return
        }
        switch form {
        case .certificate where self.isKey: self.say("is a certificate in DER format, not a private key", Self.swapped)
        case .certificate:
            self.say("is a certificate in binary DER format; PEM is expected", convertWith: .certificate(path))
        case .privateKey where self.isKey:
            self.say("is a private key in binary DER format; PEM is expected", convertWith: .privateKey(path))
        case .encryptedPrivateKey where self.isKey:
            self.say(
                "is an encrypted private key in binary DER format; PEM is expected", convertWith: .encryptedPrivateKey(path))
        case .privateKey, .encryptedPrivateKey: self.say("is a private key in DER format, not a certificate", self.adviceForKey)
        case .certificateRequest: self.say("is a certificate request in DER format, not a \(self.wanted)", self.adviceForRequest)
        case .revocationList:
            self.say("is a certificate revocation list in DER format, not a \(self.wanted)", self.adviceForRevocationList)
        case .publicKey: self.say("is a public key in DER format, not a \(self.wanted)", self.adviceForPublicKey)
        case .pkcs12(let hasLegacyCiphers):
            self.say(
                "is a PKCS#12 archive (.p12, .pfx); PEM is expected",
                convertWith: .pkcs12(
                    path, hasLegacyCiphers: hasLegacyCiphers, withKey: self.item != .trustedCertificates))
        case .pkcs7 where self.isKey:
            self.say("is a PKCS#7 file (.p7b), which holds certificates but no private key", Self.swapped)
        case .pkcs7: self.say("is a PKCS#7 file (.p7b); PEM is expected", convertWith: .pkcs7(path, isDER: true))
        case .otherDER:
            self.say("is in binary DER format, but is neither a certificate nor a private key", "Give a PEM file")
        case .javaKeyStore: self.say("is a Java keystore; PEM is expected", convertWith: .javaKeyStore(path))
        case .sshPublicKey: self.say("is an SSH public key, not a \(self.wanted)", self.adviceForPublicKey)
        case .puttyKey:
            self.say("is a PuTTY private key; PEM is expected", "Export it from PuTTYgen as an OpenSSH key")
        case .archive: self.say("is an archive (ZIP or gzip); PEM is expected", "Unpack it, and give the file in it")
        case .html:
            self.say("is a web page (HTML); PEM is expected", "Is it an error page that was saved? Download the file again")
        case .utf16(let encoding):
            self.say("is UTF-16 text; PEM is ASCII text", convertWith: .text(path, from: encoding))
        case .escapedLineBreaks:
            self.say(
                #"has line breaks written as the two characters \n, as in environment variables and JSON"#,
                path == nil
                    ? #"Replace them: text.replacing("\\n", with: "\n")"#
                    : "Convert it: \(ConversionCommand.lineBreaks(path))")
        case .quoted:
            self.say(
                "has quotation marks around the PEM text",
                path == nil ? "Remove them" : "Convert it: \(ConversionCommand.withoutQuotationMarks(path))")
        case .base64OfPEM:
            self.say(
                "is base64-encoded PEM, as in Kubernetes secrets",
                path == nil ? "Decode it" : "Decode it: \(ConversionCommand.base64(path))")
        case .base64WithoutBoundaries:
            self.say(
                "is base64 without BEGIN and END lines",
                "Add them, for example \(self.exampleLine) and "
                    + self.exampleLine.replacing("BEGIN", with: "END"))
        }
    }

    private mutating func say(_ fault: PEMFault) {
        switch fault {
        case .malformedBoundary(let line, let text):
            self.say(
                "line \(line) looks like a BEGIN or END line but is malformed: \(text.abbreviatedForDisplay)",
                "The whole line must have the form \(self.exampleLine)")
        case .lineBreaksMissing(let line):
            self.say("line \(line) contains a whole PEM block without line breaks", "Restore the line breaks")
        case .lineBreakMissing(let line):
            self.say(
                "line \(line) contains the END line of one block and the BEGIN line of the next",
                "Insert a line break between them")
        case .noEnd(let label, let line, nil):
            self.say("the \(label) block that begins on line \(line) has no END line", "Is the file complete?")
        case .noEnd(let label, let line, let next?):
            self.say(
                "the \(label) block that begins on line \(line) has no END line before the next BEGIN line, on line \(next)",
                "Is the file complete?")
        case .noBegin(let label, let line):
            self.say("line \(line) ends a \(label) block that has no BEGIN line", "Is the file complete?")
        case .otherEnd(let label, let line, let endLabel, let endLine):
            self.say(
                "the block that begins on line \(line) as \(label) ends on line \(endLine) as \(endLabel)",
                "Use the same label on both lines")
        case .notBase64(let label, let line):
            self.say("line \(line), in a \(label) block, is not valid base64", "Was the file modified? Obtain it again")
        case .incompleteBase64(let label, let line):
            self.say("the base64 of the \(label) block that begins on line \(line) is incomplete", "Is the file complete?")
        }
    }

    // MARK: Blocks of other kinds

    private var wanted: String { self.isKey ? "private key" : self.isRevocationLists ? "revocation list" : "certificate" }

    private static let adviceForOtherThanRevocationLists =
        "Give the authority's certificate revocation list (.crl), in PEM or DER"

    private var adviceForKey: String {
        self.item == .trustedCertificates ? "Give the authority's certificate, not its key" : Self.swapped
    }

    private var adviceForRequest: String {
        self.isKey ? "Give the key that the request was made with" : "Give the certificate that the authority has issued for it"
    }

    private var adviceForRevocationList: String { self.isKey ? "Give the key's file" : "Give the authority's certificate" }

    private var adviceForPublicKey: String {
        self.isKey ? "Give the private key; it cannot be made from the public one" : "Give the certificate of this key"
    }

    private mutating func sayOtherBlocks(_ labels: [String]) {
        func has(_ suffix: String) -> Bool { labels.contains { $0.hasSuffix(suffix) } }
        let advice: String? =
            if self.isRevocationLists {
                Self.adviceForOtherThanRevocationLists
            } else if self.isKey, has("CERTIFICATE") {
                Self.swapped
            } else if has("PRIVATE KEY") {
                self.adviceForKey
            } else if has("CERTIFICATE REQUEST") {
                self.adviceForRequest
            } else if has("X509 CRL") {
                self.adviceForRevocationList
            } else if has("PUBLIC KEY") {
                self.adviceForPublicKey
            } else {
                nil
            }
        self.say("contains no \(self.wanted), only \(labels.listedForDisplay)", advice)
    }

    private mutating func sayBlockNotRead(_ label: String, _ line: Int) {
        let text = "the block on line \(line) is labelled \(label), which is not supported"
        switch label {
        case "TRUSTED CERTIFICATE":
            self.say(
                "\(text): it may restrict what the certificate is trusted for", convertWith: .trustedCertificate(self.path))
        case "CMS": self.say(text, "Give the certificates themselves, as PEM")
        default: self.say(text, convertWith: .pkcs7(self.path, isDER: false))
        }
    }

    private mutating func say(_ key: OpenSSHKey) {
        let text = "is \(key.isEncrypted ? "an encrypted" : "a") private key in OpenSSH format; PKCS#8 is expected"
        let command = ConversionCommand.openSSHKey(self.path)
        switch key.algorithm {
        case "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521": self.say(text, convertWith: command)
        case "ssh-ed25519":
            let create = ConversionCommand(for: self.path) { _, output in "openssl genpkey -algorithm ed25519 -out \(output)" }
            self.say(
                text,
                "Most versions of ssh-keygen cannot convert Ed25519 keys. Create a key and a certificate for TLS: \(create)")
        default:
            let algorithm = key.algorithm.map { " (\($0.abbreviatedForDisplay))" } ?? ""
            self.say("is a private key in OpenSSH format\(algorithm), of a kind that is not supported", Self.usableKeys)
        }
    }

    // MARK: The content of blocks

    private mutating func say(_ fault: BlockFault, of subject: String, isBlock: Bool, _ reason: LibraryReason?) {
        self.reason = reason
        switch fault {
        case .endsEarly(let missing):
            self.say(
                "\(subject) cannot be read: its last \(missing == 1 ? "byte is" : "\(missing) bytes are") missing",
                "Is the file complete?")
        case .holds(let form) where !isBlock:
            self.say("\(subject) cannot be read: it is \(Self.name(of: form))", "Give a \(self.wanted) in DER")
        case .holds(let form):
            let text = "\(subject) cannot be read: the block holds \(Self.name(of: form))"
            switch form {
            case .pkcs7 where !self.isKey && !self.isRevocationLists: self.say(text, convertWith: .pkcs7(self.path, isDER: false))
            case .privateKey(let kind): self.say(text, "Its BEGIN and END lines must say \(kind.rawValue)")
            case .encryptedPrivateKey: self.say(text, "Its BEGIN and END lines must say ENCRYPTED PRIVATE KEY")
            default: self.say(text, "Give a \(self.wanted)")
            }
        case .damaged: self.say("\(subject) cannot be read\(Self.hint(reason))", "Was the file modified? Obtain it again")
        }
    }

    private mutating func say(_ feature: RevocationListFeature, of subject: String) {
        switch feature {
        case .delta:
            self.say(
                "\(subject) is a delta list, which has changes to another list only, and is not supported",
                "Give the complete list")
        case .indirect:
            self.say(
                "\(subject) is an indirect list, which has certificates of other issuers, and is not supported",
                "Give the lists of these issuers themselves")
        case .someReasons:
            self.say(
                "\(subject) is limited to some reasons for revocation, which is not supported", "Give a list for all reasons")
        case .attributeCertificates:
            self.say(
                "\(subject) is for attribute certificates, which TLS does not use", "Give a list for public key certificates")
        case .relativeName:
            self.say(
                "\(subject) names its distribution point relative to its issuer, which is not supported",
                "Have the authority name it in full")
        case .criticalExtension(let identifier):
            self.say(
                "\(subject) has the critical extension \(identifier.description.escapedForDisplay), which is not supported",
                "Have the authority issue lists without it")
        case .malformedExtension:
            self.say(
                "\(subject) has an extension or a date that cannot be decoded",
                "Have the authority issue it again, as RFC 5280 has it")
        }
    }

    /// Whether `name(of:)` has a name for a format.
    private static func hasName(_ form: FileForm) -> Bool { Self.name(of: form) != "something else" }

    /// BoringSSL's reason, unless it is a mere decoding error.
    private static func hint(_ reason: LibraryReason?) -> String {
        guard let reason, !["DECODE_ERROR", "ASN1_LIB"].contains(reason.name) else { return "" }
        return " (\(reason.name))"
    }

    private static func name(of form: FileForm) -> String {
        switch form {
        case .certificate: "a certificate"
        case .certificateRequest: "a certificate request"
        case .revocationList: "a certificate revocation list"
        case .publicKey: "a public key"
        case .privateKey(.pkcs8): "a private key in PKCS#8"
        case .privateKey(.pkcs1): "an RSA private key in PKCS#1"
        case .privateKey(.sec1): "an EC private key in SEC 1"
        case .privateKey(.dsa): "a DSA private key"
        case .encryptedPrivateKey: "an encrypted private key"
        case .pkcs12: "a PKCS#12 archive"
        case .pkcs7: "a PKCS#7 structure"
        default: "something else"
        }
    }

    private static let usableKeys = "Use RSA, ECDSA (P-256, P-384, P-521) or Ed25519"

    private mutating func say(_ kind: UnsupportedKey) {
        let key = self.isKey ? "the key" : "the first certificate's key"
        switch kind {
        case .algorithm(let algorithm):
            self.say("\(key) uses the algorithm \(algorithm), which is not supported", Self.usableKeys)
        case .curve(let curve):
            self.say("\(key) uses the elliptic curve \(curve), which is not supported", Self.usableKeys)
        case .unnamedCurve:
            self.say(
                "\(key) specifies its elliptic curve by parameters instead of by name, which is not supported", Self.usableKeys)
        case .encrypted:
            let show = ConversionCommand(for: self.path) { input, _ in "openssl pkey -in \(input) -noout -text" }
            self.say(
                "the password is right, but the key's algorithm or elliptic curve is not supported",
                "\(show) shows which it is. \(Self.usableKeys)")
        }
    }

    private mutating func say(_ encryption: KeyEncryption) {
        let name =
            switch encryption {
            case .scheme(let scheme), .keyDerivation(let scheme), .cipher(let scheme): "\(scheme)"
            case .pseudorandomFunction(let function): "PBKDF2 and \(function)"
            case .iterations(let count): "PBKDF2 in \(count) iterations"
            case .traditionalCipher(let name): name.abbreviatedForDisplay
            case .malformed: "parameters that cannot be read"
            }
        self.say(
            "is encrypted with \(name), which is not supported",
            encryption.isKnownToOpenSSL
                ? "Re-encrypt it: "
                    + "\(ConversionCommand.encryptedAgain(self.path, needsLegacyProvider: encryption.needsLegacyProvider))"
                : "Export it again, encrypted with AES or not at all")
    }

    private mutating func say(_ mismatch: KeyMismatch) {
        switch mismatch {
        case .belongsTo(let index, let subject):
            self.say(
                "belongs to certificate \(index + 1) of the file\(Self.parenthesis(subject)), not to the first",
                "Put that certificate first in the certificate chain")
        case .otherKey(let index):
            self.say(
                "the first key of the file does not belong to the certificate, but key \(index + 1) does", "Put that key first")
        case .belongsToNone(let count, let subject):
            self.say(
                count == 1
                    ? "does not belong to the certificate\(Self.parenthesis(subject))"
                    : "does not belong to any of the \(count) certificates of the chain, the first of which is "
                        + subject.abbreviatedForDisplay,
                "Give the key that the certificate was issued for")
        }
    }

    private static func certificate(_ subject: String) -> String {
        subject.isEmpty ? "" : " (the certificate is \(subject.abbreviatedForDisplay))"
    }

    private static func parenthesis(_ subject: String) -> String {
        subject.isEmpty ? "" : " (\(subject.abbreviatedForDisplay))"
    }

    // MARK: Suitability of the certificates

    private mutating func say(_ usage: KeyUsage, _ subject: String) {
        let names = usage.names.isEmpty ? "empty" : usage.names.joined(separator: ", ")
        self.say(
            "the first certificate\(Self.parenthesis(subject)) cannot be used for TLS: its key usage is \(names), without "
                + "digitalSignature",
            usage.isAuthority
                ? "Is it an authority's certificate? Use one that the authority has issued"
                : "Have it reissued with digitalSignature in its key usage")
    }

    private mutating func say(_ weakness: CertificateWeakness, _ index: Int, _ subject: String) {
        let certificate = "certificate \(index + 1) of the file\(Self.parenthesis(subject))"
        switch weakness {
        case .rsaKey(let bits):
            self.say(
                "\(certificate) has a \(bits)-bit RSA key; at least 2048 bits are required",
                "Replace the key and the certificate. For old peers only, a program can allow .rsaKeysUnder2048Bits")
        case .signature("SHA-1"):
            self.say(
                "\(certificate) is signed with SHA-1, which is broken",
                "Have it reissued with SHA-256. For old peers only, a program can allow .sha1Signatures")
        case .signature(let hash):
            self.say(
                "\(certificate) is signed with \(hash), which is broken and not supported", "Have it reissued with SHA-256")
        }
    }
}

extension CredentialError.Problem {
    /// Whether another path would fix the problem.
    fileprivate var isAboutPath: Bool {
        switch self {
        case .unreadable, .pathWithNUL, .isDirectory, .empty, .tooLarge, .nothingKnown, .otherBlocks, .nowhereFound: true
        default: false
        }
    }
}

extension KeyEncryption {
    /// The prefixes of the names of ciphers that are only in OpenSSL 3's legacy provider.
    private static let legacyCiphers = ["bf", "cast5", "seed", "rc2", "rc4", "des-cbc", "des-cfb", "des-ofb", "des-ecb", "idea"]

    private var nameOfCipher: String? {
        switch self {
        case .cipher(let cipher): cipher.name?.lowercased()
        case .traditionalCipher(let name): name.lowercased()
        default: nil
        }
    }

    fileprivate var needsLegacyProvider: Bool {
        switch self {
        // DES, RC2 and RC4 in PBES1 and PKCS#12. The exception is Triple DES with two keys.
        case .scheme(let scheme): scheme.dotted != "1.2.840.113549.1.12.1.4"
        default: self.nameOfCipher.map { name in Self.legacyCiphers.contains { name.hasPrefix($0) } } ?? false
        }
    }

    /// Whether OpenSSL can read the key.
    fileprivate var isKnownToOpenSSL: Bool {
        switch self {
        case .scheme(let scheme):
            // The exceptions use MD2, which OpenSSL is usually built without.
            ["1.2.840.113549.1.12.1.", "1.2.840.113549.1.5."].contains(where: scheme.dotted.hasPrefix)
                && !["1.2.840.113549.1.5.1", "1.2.840.113549.1.5.4"].contains(scheme.dotted)
        case .keyDerivation(let function): function.name == "scrypt"
        case .pseudorandomFunction(let function): function.name != nil
        case .cipher, .traditionalCipher: true
        case .iterations, .malformed: false
        }
    }
}
