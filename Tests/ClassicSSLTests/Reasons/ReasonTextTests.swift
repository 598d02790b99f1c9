import Foundation
import Testing

@testable import ClassicSSL
@testable import SecureSockets

@Suite("§2 format_error, §6.6 Texts and names of reasons", .countsRules, .timeLimit(.minutes(5)))
struct ReasonTextTests {
    static let atoms = [
        "enooptions", "eoptions", "ecacertfile", "ecertfile", "ekeyfile", "ekeymismatch", "ecipher", "enoservercert",
        "enoissuercert", "epeercertexpired", "epeercertinvalid", "eselfsignedcert", "echaintoolong", "epeercert",
        "esslaccept", "esslconnect", "esslerrssl", "ex509lookup", "ewantconnect", "closed", "timeout", "enotlistener",
        "enotconn", "ebadsocket", "ebadstate", "ebrokertype", "enoproxysocket", "ebadf", "enotsock",
    ]
    /// The names of inet(3).
    static let inet = """
        e2big eacces eaddrinuse eaddrnotavail eadv eafnosupport eagain ealign ealready ebade ebadf ebadfd ebadmsg
        ebadr ebadrpc ebadrqc ebadslt ebfont ebusy echild echrng ecomm econnaborted econnrefused econnreset edeadlk
        edeadlock edestaddrreq edirty edom edotdot edquot eduppkg eexist efault efbig eftype ehostdown ehostunreach
        eidrm einit einprogress eintr einval eio eisconn eisdir eisnam el2hlt el2nsync el3hlt el3rst elbin elibacc
        elibbad elibexec elibmax elibscn elnrng eloop emfile emlink emsgsize emultihop enametoolong enavail enet
        enetdown enetreset enetunreach enfile enoano enobufs enocsi enodata enodev enoent enoexec enolck enolink
        enomem enomsg enonet enopkg enoprotoopt enospc enosr enostr enosym enosys enotblk enotconn enotdir enotempty
        enotnam enotsock enotsup enotty enotuniq enxio eopnotsupp eoverflow eperm epfnosupport epipe eproclim
        eprocunavail eprogmismatch eprogunavail eproto eprotonosupport eprototype erange erefused eremchg eremdev
        eremote eremoteio eremoterelease erofs erpcmismatch erremote eshutdown esocktnosupport espipe esrch esrmnt
        estale esuccess etime etimedout etoomanyrefs etxtbsy euclean eunatch eusers eversion ewouldblock exbadport
        exbadseq exdev exfull nxdomain
        """.split { $0 == " " || $0 == "\n" }.map(String.init)

    /// The names of what this operating system can report.
    static let system = (Int32(1)...200).filter { !SystemError.text(of: $0).hasPrefix("Unknown error") }
        .map { ErrorNumber.name(of: $0) }

    @Test func `6_6: the names of all numbers are known`() {
        #expect(Self.system.count > 90)
        #expect(!Self.system.contains { $0.hasPrefix("errno") })
        #expect(ErrorNumber.name(of: ECONNREFUSED) == "econnrefused")
        #expect(ErrorNumber.name(of: EAGAIN) == "eagain")
        #expect(ErrorNumber.name(of: EOPNOTSUPP) == "eopnotsupp")
        #expect(ErrorNumber.name(of: 0) == "errno0")
    }

    @Test(arguments: Set(Self.atoms + Self.inet + Self.system).sorted())
    func `2 format_error 1: every reason has a text of its own`(_ atom: String) {
        let reason = SSL.Reason(atom: atom)
        #expect(reason.atom == atom && reason.description == atom)
        let text = SSL.formatError(reason)
        #expect(!text.isEmpty && !text.hasPrefix("unknown reason"))
        #expect(SSL.formatError(.atom(atom)) == text)
        #expect(SSL.formatError(.tuple([.atom("error"), .atom(atom)])) == text)
    }

    @Test func `2 format_error 1: no two reasons have the same text`() {
        let texts = Set(Self.atoms + Self.inet + Self.system).map { SSL.formatError(SSL.Reason(atom: $0)) }
        #expect(Set(texts).count == texts.count)
    }

    @Test(arguments: ["badcall", "badcast", "badinfo"])
    func `2 format_error 2: the pairs, whatever their second part is`(_ tag: String) {
        for payload in [SSL.Term.string("recv"), .atom("x"), .tuple([]), .list([.integer(1)]), .string("")] {
            let text = SSL.formatError(.tuple([.atom(tag), payload]))
            #expect(!text.isEmpty && !text.hasPrefix("unknown"))
        }
        for reason in [SSL.Reason.badcall("c"), .badcast("c"), .badinfo("c")] { #expect(!SSL.formatError(reason).isEmpty) }
    }

    @Test func `2 format_error 3: anything unknown is shown`() {
        let terms: [(SSL.Term, String)] = [
            (.atom("no_such_reason"), "no_such_reason"), (.integer(-7), "-7"), (.string("text"), "text"), (.string(""), "\"\""),
            (.binary([1, 2]), "<<1,2>>"), (.list([]), "[]"), (.tuple([]), "{}"), (.list([.integer(1), .atom("b")]), "[1,b]"),
            (.tuple([.atom("a"), .integer(1), .string("z")]), "{a,1,\"z\"}"), (.tuple([.atom("error"), .integer(5)]), "5"),
            (.tuple([.atom("error"), .tuple([.atom("what"), .atom("where")])]), "{what,where}"),
        ]
        for (term, shown) in terms { #expect(SSL.formatError(term).contains(shown), "\(term)") }
        #expect(SSL.formatError(SSL.Reason.posix("estrange")).contains("estrange"))
        #expect(!SSL.formatError(SSL.Reason.posix("")).isEmpty)
    }
}
