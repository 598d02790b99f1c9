import SecureSockets

/// The options for the identities of a server beside that of --cert, and for what is sent with it.
struct FurtherIdentityOptions: ArgumentGroup {
    var identities: [String] = []
    var refuseUnknownNames = false
    var ocspResponse: String?

    static let arguments: ArgumentTable<FurtherIdentityOptions> = [
        .repeated(
            "--identity", \.identities, .text("file"),
            "A further certificate chain with its key, in one PEM file, for clients that request one of its names. May be repeated."
        ),
        .flag(
            "--refuse-unknown-names", \.refuseUnknownNames,
            "Refuse clients that request a name of no certificate, with unrecognized_name, instead of using --cert for them."),
        .option("--ocsp", \.ocspResponse, .text("file"), "Send this OCSP response, in DER, with the certificate of --cert."),
    ]

    /// Returns the identities by name, that of --cert first.
    func identities(after first: TLSIdentity, _ leniency: LeniencyOptions) throws(SecureSocketError) -> [ServerIdentity] {
        let allowed = leniency.legacyCertificates
        let first =
            try self.ocspResponse.map { response throws(SecureSocketError) in
                try first.stapling(ocspResponse: .file(response), allowing: allowed)
            } ?? first
        var all = [first]
        for file in self.identities {
            all.append(try TLSIdentity(certificateChain: .file(file), privateKey: .file(file), allowing: allowed))
        }
        return self.serverIdentities(all)
    }

    /// Returns the identities by name. Names matter only if there are several identities, or if others are refused.
    func serverIdentities(_ identities: [TLSIdentity]) -> [ServerIdentity] {
        guard identities.count > 1 || self.refuseUnknownNames else { return [ServerIdentity(for: [], identities)] }
        return identities.map { ServerIdentity($0) }
    }
}
