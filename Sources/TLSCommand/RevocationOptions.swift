import Foundation
import SecureSockets

/// The option for the revocation of the peer's certificates.
struct RevocationOptions: ArgumentGroup {
    var crl: String?

    static let arguments: ArgumentTable<RevocationOptions> = [
        .option(
            "--crl", \.crl, .text("path"),
            "Refuse certificates that these revocation lists revoke, and those whose issuer has no current list. A file or a folder."
        )
    ]

    func applied(to trust: TLSTrust) throws(SecureSocketError) -> TLSTrust {
        guard let crl else { return trust }
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: crl, isDirectory: &isFolder)
        let lists = exists && isFolder.boolValue ? try RevocationLists(folder: crl) : try RevocationLists(.file(crl))
        return trust.checkingRevocation(with: lists)
    }
}
