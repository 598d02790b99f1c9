import Foundation

/// A user of the operating system, as which root runs a program that refuses to run as root.
package struct Account: Sendable {
    package let name: String
    let user: uid_t
    let group: gid_t

    /// Looks for the user.
    ///
    /// - Returns: Nil if there is no such user.
    package init?(_ name: String) {
        var (entry, found) = (passwd(), UnsafeMutablePointer<passwd>?.none)
        var text = [CChar](repeating: 0, count: 16_384)
        guard getpwnam_r(name, &entry, &text, text.count, &found) == 0, found != nil else { return nil }
        self.name = name
        self.user = entry.pw_uid
        self.group = entry.pw_gid
    }

    /// Whether the tests run as root, and so may run a program as another user.
    package static let isRoot = geteuid() == 0
}

extension Program {
    /// Changes the user and other privileges of a program (util-linux).
    package static let setpriv = Program("setpriv")

    /// The program and the arguments that run this one as another user, or as the same one if `account` is nil.
    ///
    /// - Parameter endsWithTests: Whether the program receives `SIGINT` when the tests' process ends without having stopped it. Without
    ///   `setpriv`, it does not.
    func command(_ arguments: [String], as account: Account?, endsWithTests: Bool = false) -> (Program, [String]) {
        guard let setpriv = Self.setpriv, account != nil || endsWithTests else { return (self, arguments) }
        let signal = endsWithTests ? ["--pdeathsig", "INT"] : []
        let user = account.map { ["--reuid", $0.name, "--regid", "\($0.group)", "--init-groups"] } ?? []
        return (setpriv, signal + user + ["--", self.path] + arguments)
    }

    /// Runs the program to its end as another user, or as the same one if `account` is nil.
    package func run(_ arguments: [String], as account: Account?, environment: [String: String] = [:]) async throws -> Outcome {
        let (program, arguments) = self.command(arguments, as: account)
        return try await program.run(arguments, environment: environment)
    }
}
