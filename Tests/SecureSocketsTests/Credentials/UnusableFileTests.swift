import Foundation
import SecureSockets
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct `A file that cannot be loaded` {
    @Test(arguments: UnusableFile.all)
    func `is identified, with what to do next`(_ file: UnusableFile) throws {
        let made = try file.made()
        let error = try #require(made.refusal(password: file.password))
        #expect(error.description == made.description)
        #expect(error.blame == .configuration)
        #expect(error.step == .configuring)
        switch file.item {
        case _ where file.isMismatch:
            #expect(error.code == .privateKeyMismatch)
        case .chain:
            #expect(error.code == .certificateUnusable)
        case .key:
            #expect(error.code == .privateKeyUnusable)
        case .trust:
            #expect(error.code == .trustUnusable)
        }
    }

    /// Runs the command of the advice, and loads the file that it has written.
    @Test(arguments: UnusableFile.all.filter(\.hasCommand))
    func `can be loaded after the command of the message`(_ file: UnusableFile) throws {
        let made = try file.made()
        let (command, output) = try #require(made.remedy)
        // Passwords are asked for otherwise.
        let isKept = ["-topk8", "ssh-keygen"].contains(where: command.contains) && file.item == .key
        let password = made.key.hasSuffix(".der") || file.password != nil ? "secret" : ""
        try made.workshop.run(
            command
                .replacing("openssl pkcs12", with: "openssl pkcs12 -passin pass:secret")
                .replacing("openssl pkcs8", with: "openssl pkcs8 -passin pass:secret -passout pass:secret")
                .replacing("ssh-keygen -p", with: "ssh-keygen -p -P '\(password)' -N '\(password)'"))
        switch file.item {
        case .chain:
            _ = try TLSIdentity(certificateChain: .file(output), privateKey: .file(made.key))
        case .key:
            _ = try TLSIdentity(
                certificateChain: .file(made.chain), privateKey: .file(output), password: isKept ? password : nil)
        case .trust:
            _ = try TLSTrust.only(.file(output))
        }
    }
}
