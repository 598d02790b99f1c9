/// Private keys that are encrypted in other ways than are supported, or are of other kinds.
extension UnusableFile {
    private static let again = "Re-encrypt it: openssl pkcs8 -in {file} -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256"

    private static func encrypted(
        _ name: String, _ command: String, _ scheme: String, needsLegacyProvider: Bool = false
    ) -> UnusableFile {
        let providers = needsLegacyProvider ? " -provider legacy -provider default" : ""
        return openssl(
            .key, name, password: "secret", "openssl \(command)\(providers) -passout pass:secret -out \(name)",
            "is encrypted with \(scheme), which is not supported", "\(again)\(providers) -out {new}")
    }

    static let encryptions =
        [
            encrypted("scrypt.pem", "pkcs8 -topk8 -in server.key -scrypt", "scrypt (OID 1.3.6.1.4.1.11591.4.11)"),
            encrypted("no-extension", "pkcs8 -topk8 -in server.key -scrypt", "scrypt (OID 1.3.6.1.4.1.11591.4.11)"),
        ]
        + [
            ("hmacWithMD5", "6"), ("hmacWithSHA224", "8"), ("hmacWithSHA384", "10"), ("hmacWithSHA512", "11"),
            ("hmacWithSHA512-256", "13"),
        ].map { function, number in
            encrypted(
                "\(function).pem", "pkcs8 -topk8 -in server.key -v2 aes-256-cbc -v2prf \(function)",
                "PBKDF2 and \(function) (OID 1.2.840.113549.2.\(number))")
        }
        + [
            ("aes-256-ofb", "2.16.840.1.101.3.4.1.43"), ("camellia-256-cbc", "1.2.392.200011.61.1.1.1.4"),
            ("aria-256-cbc", "1.2.410.200046.1.1.12"), ("sm4-cbc", "1.2.156.10197.1.104.2"),
        ].map { cipher, number in
            encrypted("\(cipher).pem", "pkcs8 -topk8 -in server.key -v2 \(cipher)", "\(cipher) (OID \(number))")
        }
        + [
            encrypted(
                "2des.pem", "pkcs8 -topk8 -in server.key -v1 PBE-SHA1-2DES",
                "pbeWithSHA1And2-KeyTripleDES-CBC (OID 1.2.840.113549.1.12.1.4)")
        ]
        + ["camellia-256-cbc", "aria-256-cbc", "aes-256-cfb", "des-ede-cbc"].map { cipher in
            encrypted("traditional-\(cipher).pem", "ec -in server.key -\(cipher)", cipher.uppercased())
        }

    static let legacyEncryptions =
        [
            ("PBE-MD5-DES", "pbeWithMD5AndDES-CBC (OID 1.2.840.113549.1.5.3)"),
            ("PBE-SHA1-DES", "pbeWithSHA1AndDES-CBC (OID 1.2.840.113549.1.5.10)"),
            ("PBE-MD5-RC2-64", "pbeWithMD5AndRC2-CBC (OID 1.2.840.113549.1.5.6)"),
            ("PBE-SHA1-RC2-128", "pbeWithSHA1And128BitRC2-CBC (OID 1.2.840.113549.1.12.1.5)"),
            ("PBE-SHA1-RC4-40", "pbeWithSHA1And40BitRC4 (OID 1.2.840.113549.1.12.1.2)"),
        ].map { name, scheme in
            encrypted("\(name).pem", "pkcs8 -topk8 -in server.key -v1 \(name)", scheme, needsLegacyProvider: true)
        }
        + [("bf", "BF-CBC"), ("cast", "CAST5-CBC"), ("seed", "SEED-CBC"), ("rc2", "RC2-CBC")].map { option, cipher in
            encrypted("traditional-\(option).pem", "ec -in server.key -\(option)", cipher, needsLegacyProvider: true)
        }
        + [
            openssl(
                .chain, "old.p12",
                "openssl pkcs12 -export -legacy -in server.pem -inkey server.key -passout pass:secret -out old.p12",
                "is a PKCS#12 archive (.p12, .pfx); PEM is expected",
                "Convert it: openssl pkcs12 -in {file} -legacy -nodes -out {new}")
        ]

    static let openSSHKeys = [
        openssl(
            .key, "id_rsa", chain: "rsa.pem",
            "ssh-keygen -q -t rsa -N '' -f id_rsa && \(certified("id_rsa", "rsa.pem"))",
            "is a private key in OpenSSH format; PKCS#8 is expected",
            "Convert it: cp -p {file} {new} && ssh-keygen -p -m PKCS8 -f {new}"),
        openssl(
            .key, "id_ecdsa", chain: "ecdsa.pem", password: "secret",
            "ssh-keygen -q -t ecdsa -b 384 -N secret -f id_ecdsa && \(certified("id_ecdsa", "ecdsa.pem", "secret"))",
            "is an encrypted private key in OpenSSH format; PKCS#8 is expected",
            "Convert it: cp -p {file} {new} && ssh-keygen -p -m PKCS8 -f {new}"),
        openssl(
            .key, "id_ed25519", "ssh-keygen -q -t ed25519 -N '' -f id_ed25519",
            "is a private key in OpenSSH format; PKCS#8 is expected",
            "Most versions of ssh-keygen cannot convert Ed25519 keys. "
                + "Create a key and a certificate for TLS: openssl genpkey -algorithm ed25519 -out {new}"),
        openssl(
            .key, "id.pub", "ssh-keygen -q -t ed25519 -N '' -f id",
            "is an SSH public key, not a private key", "Give the private key; it cannot be made from the public one"),
        openssl(
            .chain, "id_chain", "ssh-keygen -q -t ed25519 -N '' -f id_chain",
            "contains no certificate, only OPENSSH PRIVATE KEY", swapped),
    ]

    /// Commands that make a certificate for a copy of an OpenSSH key.
    private static func certified(_ key: String, _ certificate: String, _ password: String = "") -> String {
        """
        cp \(key) copy && ssh-keygen -q -p -P '\(password)' -N '' -m PKCS8 -f copy
        openssl req -new -x509 -key copy -subj /CN=ssh -out \(certificate)
        """
    }

    // MARK: Kinds of keys

    private static let curves = [
        ("secp256k1", "secp256k1 (OID 1.3.132.0.10)"), ("brainpoolP256r1", "brainpoolP256r1 (OID 1.3.36.3.3.2.8.1.1.7)"),
        ("secp224r1", "P-224 (OID 1.3.132.0.33)"), ("prime192v1", "P-192 (OID 1.2.840.10045.3.1.1)"),
        ("sect233k1", "sect233k1 (OID 1.3.132.0.26)"), ("SM2", "SM2 (OID 1.2.156.10197.1.301)"),
    ]

    /// Of an algorithm, how its key is made, and its name in messages.
    private static let algorithms = [
        ("ed448", "openssl genpkey -algorithm ed448", "Ed448 (OID 1.3.101.113)"),
        ("x25519", "openssl genpkey -algorithm x25519", "X25519 (OID 1.3.101.110)"),
        ("x448", "openssl genpkey -algorithm x448", "X448 (OID 1.3.101.111)"),
        ("pss", "openssl genpkey -algorithm rsa-pss", "RSASSA-PSS (OID 1.2.840.113549.1.1.10)"),
        ("dh", "openssl genpkey -algorithm dh -pkeyopt group:ffdhe2048", "Diffie-Hellman (OID 1.2.840.113549.1.3.1)"),
        ("dsa", "printf -- '\(dsaKey)' | openssl pkey", "DSA (OID 1.2.840.10040.4.1)"),
    ]

    static let otherKeys =
        curves.flatMap { curve, name in
            let make = "openssl ecparam -name \(curve) -genkey -noout -out \(curve).key"
            return [
                openssl(
                    .key, "\(curve).key", make, "the key uses the elliptic curve \(name), which is not supported", usable),
                openssl(
                    .key, "\(curve)-pkcs8.key", "\(make)\nopenssl pkey -in \(curve).key -out \(curve)-pkcs8.key",
                    "the key uses the elliptic curve \(name), which is not supported", usable),
                openssl(
                    .chain, "\(curve).pem", key: "\(curve).key",
                    "\(make)\nopenssl req -new -x509 -key \(curve).key -subj /CN=\(curve) -out \(curve).pem",
                    "the first certificate's key uses the elliptic curve \(name), which is not supported", usable),
            ]
        }
        + algorithms.flatMap { algorithm, make, name in
            [
                openssl(
                    .key, "\(algorithm).key", "\(make) -out \(algorithm).key",
                    "the key uses the algorithm \(name), which is not supported", usable),
                // It need not be able to sign the request.
                openssl(
                    .chain, "\(algorithm).pem", key: "\(algorithm).key",
                    """
                    \(make) -out \(algorithm).key
                    openssl pkey -in \(algorithm).key -pubout -out public.pem
                    openssl req -new -key server.key -subj /CN=\(algorithm) -out request.pem
                    openssl x509 -req -in request.pem -force_pubkey public.pem -CA ca.pem -CAkey ca.key -out \(algorithm).pem
                    """,
                    "the first certificate's key uses the algorithm \(name), which is not supported", usable),
            ]
        }
        + [
            openssl(
                .key, "traditional-dsa.key", "printf -- '\(dsaKey)' | openssl dsa -out traditional-dsa.key",
                "the key uses the algorithm DSA (OID 1.2.840.10040.4.1), which is not supported", usable),
            // The traditional encryption says which curve is in it.
            openssl(
                .key, "encrypted-curve.key", password: "secret",
                """
                openssl ecparam -name secp256k1 -genkey -noout | openssl ec -aes256 -passout pass:secret -out encrypted-curve.key
                """,
                "the key uses the elliptic curve secp256k1 (OID 1.3.132.0.10), which is not supported", usable),
            openssl(
                .key, "encrypted-pkcs8-curve.key", password: "secret",
                """
                openssl ecparam -name secp256k1 -genkey -noout \
                | openssl pkcs8 -topk8 -passout pass:secret -out encrypted-pkcs8-curve.key
                """,
                "the password is right, but the key's algorithm or elliptic curve is not supported",
                "openssl pkey -in {file} -noout -text shows which it is. \(usable)"),
            openssl(
                .key, "explicit.key", "openssl ecparam -name secp256k1 -genkey -noout -param_enc explicit -out explicit.key",
                "the key specifies its elliptic curve by parameters instead of by name, which is not supported", usable),
        ]

    /// Making one takes seconds.
    private static let dsaKey = """
        -----BEGIN PRIVATE KEY-----
        MIIBWwIBADCCATMGByqGSM44BAEwggEmAoGBANscMnkhgiz+sXjqLcnNWvwJp3yL
        6ame03bZJ+m7E6lEoO2TjkcL+9c3cjEbgjDtIj0w1rjCcpukt16TQjSikJk9Hj+k
        LHglXDglSW5FQ+xQDOwRSOq+wSPcxNmrMMQwiSw5oUi3Sc2xnM+dL7URZt+F8Sn0
        P3sPSwKq0tYmGw5JAh0Ayhjz2/fUjskjW4pWbPQbvq3Lbksb8fpJe5ldcQKBgDru
        9yucH+ymKj/M84igAAUr5znNSPNWoZ1qAp1o3vszyX9Qwne9pjddD6mYE8JbHhyx
        kCbwEJ55+YgB0vbXwh3rxA+khvZuHREHUksrKL89MDcdrQyBAEW8ir7SL3QL0yy9
        BASUb6/RNbYZzA4nGPTH3RwYfcbNmE6oeFPEtFTOBB8CHQCVLGGKTn3EaDFt1ezp
        x3iiElBQi2j2adMslNNw
        -----END PRIVATE KEY-----
        """.replacing("\n", with: "\\n") + "\\n"
}
