/// Files in other forms than PEM, and PEM blocks of other kinds.
extension UnusableFile {
    private static let archive = "is a PKCS#12 archive (.p12, .pfx); PEM is expected"
    private static let makeArchive =
        "openssl pkcs12 -export -in server.pem -inkey server.key -certfile ca.pem -passout pass:secret -out"

    static let otherForms = [
        openssl(
            .chain, "archive.p12", "\(makeArchive) archive.p12", archive,
            "Convert it: openssl pkcs12 -in {file} -nodes -out {new}"),
        openssl(
            .key, "archive.pfx", "\(makeArchive) archive.pfx", archive,
            "Convert it: openssl pkcs12 -in {file} -nodes -out {new}"),
        openssl(
            .trust, "trust.p12", "\(makeArchive) trust.p12", archive, "Convert it: openssl pkcs12 -in {file} -nokeys -out {new}"),
        openssl(
            .chain, "server-certificate.der", "openssl x509 -in server.pem -outform der -out server-certificate.der",
            "is a certificate in binary DER format; PEM is expected",
            "Convert it: openssl x509 -inform der -in {file} -out {new}"),
        // A certificate of the first version, without extensions.
        openssl(
            .trust, "v1.cer",
            "openssl req -new -key server.key -subj /CN=v1 | openssl x509 -req -signkey server.key -outform der -out v1.cer",
            "is a certificate in binary DER format; PEM is expected",
            "Convert it: openssl x509 -inform der -in {file} -out {new}"),
        openssl(
            .key, "server-key.der", "openssl pkey -in server.key -outform der -out server-key.der",
            "is a private key in binary DER format; PEM is expected",
            "Convert it: openssl pkey -inform der -in {file} -out {new}"),
        openssl(
            .key, "sec1.der", "openssl ec -in server.key -outform der -out sec1.der",
            "is a private key in binary DER format; PEM is expected",
            "Convert it: openssl pkey -inform der -in {file} -out {new}"),
        openssl(
            .key, "rsa.der", chain: "rsa-chain.pem",
            """
            openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -subj /CN=rsa -out rsa-chain.pem
            openssl rsa -in rsa.key -traditional -outform der -out rsa.der
            """,
            "is a private key in binary DER format; PEM is expected",
            "Convert it: openssl pkey -inform der -in {file} -out {new}"),
        openssl(
            .key, "encrypted.der", "openssl pkcs8 -topk8 -in server.key -passout pass:secret -outform der -out encrypted.der",
            "is an encrypted private key in binary DER format; PEM is expected",
            "Convert it: openssl pkcs8 -inform der -in {file} -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -out {new}"),
        openssl(
            .key, "certificate.der", "openssl x509 -in server.pem -outform der -out certificate.der",
            "is a certificate in DER format, not a private key", swapped),
        openssl(
            .chain, "key.der", "openssl pkey -in server.key -outform der -out key.der",
            "is a private key in DER format, not a certificate", swapped),
        openssl(
            .trust, "ca-key.der", "openssl pkey -in ca.key -outform der -out ca-key.der",
            "is a private key in DER format, not a certificate", "Give the authority's certificate, not its key"),
        openssl(
            .chain, "request.der", "openssl req -new -key server.key -subj /CN=server -outform der -out request.der",
            "is a certificate request in DER format, not a certificate",
            "Give the certificate that the authority has issued for it"),
        openssl(
            .key, "public.der", "openssl pkey -in server.key -pubout -outform der -out public.der",
            "is a public key in DER format, not a private key", "Give the private key; it cannot be made from the public one"),
        openssl(
            .trust, "list.crl", "\(makeList) | openssl crl -outform der -out list.crl",
            "is a certificate revocation list in DER format, not a certificate", "Give the authority's certificate"),
        openssl(
            .chain, "certificates.p7b", "openssl crl2pkcs7 -nocrl -certfile server.pem -outform der -out certificates.p7b",
            "is a PKCS#7 file (.p7b); PEM is expected",
            "Convert it: openssl pkcs7 -inform der -print_certs -in {file} -out {new}"),
        openssl(
            .key, "key.p7b", "openssl crl2pkcs7 -nocrl -certfile server.pem -outform der -out key.p7b",
            "is a PKCS#7 file (.p7b), which holds certificates but no private key", swapped),
        openssl(
            .chain, "pem.p7b", "openssl crl2pkcs7 -nocrl -certfile server.pem -out pem.p7b",
            "the block on line 1 is labelled PKCS7, which is not supported",
            "Convert it: openssl pkcs7 -print_certs -in {file} -out {new}"),
        // As some authorities write it.
        openssl(
            .trust, "certificate.p7b",
            "openssl crl2pkcs7 -nocrl -certfile ca.pem | sed 's/PKCS7/CERTIFICATE/' > certificate.p7b",
            "certificate 1 of the file (line 1) cannot be read: the block holds a PKCS#7 structure",
            "Convert it: openssl pkcs7 -print_certs -in {file} -out {new}"),
        // Beside a certificate that is read.
        openssl(
            .trust, "both.pem",
            """
            (echo -----BEGIN CERTIFICATE-----; openssl x509 -in ca.pem -outform der | openssl base64 -A; echo
            echo -----END CERTIFICATE-----; openssl x509 -in server.pem -trustout) > both.pem
            """,
            "the block on line 4 is labelled TRUSTED CERTIFICATE, which is not supported: "
                + "it may restrict what the certificate is trusted for",
            "Convert it: openssl x509 -in {file} -out {new}"),
        openssl(
            .chain, "trusted.pem", "openssl x509 -in server.pem -trustout -out trusted.pem",
            "the block on line 1 is labelled TRUSTED CERTIFICATE, which is not supported: "
                + "it may restrict what the certificate is trusted for",
            "Convert it: openssl x509 -in {file} -out {new}"),
        openssl(
            .chain, "request.pem", "openssl req -new -key server.key -subj /CN=server -out request.pem",
            "contains no certificate, only CERTIFICATE REQUEST", "Give the certificate that the authority has issued for it"),
        openssl(
            .key, "request-key.pem", "openssl req -new -key server.key -subj /CN=server -out request-key.pem",
            "contains no private key, only CERTIFICATE REQUEST", "Give the key that the request was made with"),
        openssl(
            .key, "public.pem", "openssl pkey -in server.key -pubout -out public.pem",
            "contains no private key, only PUBLIC KEY", "Give the private key; it cannot be made from the public one"),
        openssl(
            .chain, "public-chain.pem", "openssl pkey -in server.key -pubout -out public-chain.pem",
            "contains no certificate, only PUBLIC KEY", "Give the certificate of this key"),
        openssl(
            .trust, "list.pem", "\(makeList) -out list.pem",
            "contains no certificate, only X509 CRL", "Give the authority's certificate"),
        openssl(
            .key, "parameters.pem", "openssl ecparam -name prime256v1 -out parameters.pem",
            "contains no private key, only EC PARAMETERS", nil),
        // The label of another form.
        openssl(
            .key, "label.pem",
            "openssl ec -in server.key | sed 's/EC PRIVATE KEY/PRIVATE KEY/' > label.pem",
            "the key on line 1 cannot be read: the block holds an EC private key in SEC 1",
            "Its BEGIN and END lines must say EC PRIVATE KEY"),
        openssl(
            .key, "encrypted-label.pem",
            "openssl pkcs8 -topk8 -in server.key -passout pass:secret | sed 's/ENCRYPTED //' > encrypted-label.pem",
            "the key on line 1 cannot be read: the block holds an encrypted private key",
            "Its BEGIN and END lines must say ENCRYPTED PRIVATE KEY"),
        openssl(
            .chain, "certificate-label.pem", "sed 's/PRIVATE KEY/CERTIFICATE/' server.key > certificate-label.pem",
            "certificate 1 of the file (line 1) cannot be read: the block holds a private key in PKCS#8",
            "Its BEGIN and END lines must say PRIVATE KEY"),
        bytes(
            .key, "keys.jks", "is a Java keystore; PEM is expected",
            "Convert it: keytool -importkeystore -srckeystore {file} -destkeystore {new}.p12 -deststoretype PKCS12"
                + " && openssl pkcs12 -in {new}.p12 -nodes -out {new}",
            [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]),
        bytes(
            .chain, "certificates.zip", "is an archive (ZIP or gzip); PEM is expected", "Unpack it, and give the file in it",
            [0x50, 0x4b, 0x03, 0x04, 0x14, 0, 0, 0]),
        bytes(
            .chain, "any.der", "is in binary DER format, but is neither a certificate nor a private key", "Give a PEM file",
            [0x30, 0x06, 0x02, 0x01, 0x01, 0x01, 0x01, 0xff]),
    ]

    private static let makeList = """
        printf '[ca]\\ndefault_ca=x\\n[x]\\ndatabase=index\\ndefault_md=sha256\\ndefault_crl_days=1\\n' > ca.cnf && touch index
        openssl ca -gencrl -config ca.cnf -cert ca.pem -keyfile ca.key
        """
}
