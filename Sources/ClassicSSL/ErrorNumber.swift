#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The operating system's errors, by their names in `inet(3)` and the manual pages.
enum ErrorNumber {
    /// Returns the name in lower case, for example `econnrefused`; `errno` and the number if there is none.
    static func name(of number: Int32) -> String {
        Self.names[number] ?? "errno\(number)"
    }

    /// If a number has two names, such as `EAGAIN` and `EWOULDBLOCK`, the first applies.
    private static let names = Dictionary(
        Self.namesOfAllSystems + Self.namesOfThisSystem, uniquingKeysWith: { first, _ in first })

    private static let namesOfAllSystems: [(Int32, String)] = [
        (E2BIG, "e2big"), (EACCES, "eacces"), (EADDRINUSE, "eaddrinuse"), (EADDRNOTAVAIL, "eaddrnotavail"),
        (EAFNOSUPPORT, "eafnosupport"), (EAGAIN, "eagain"), (EALREADY, "ealready"), (EBADF, "ebadf"), (EBADMSG, "ebadmsg"),
        (EBUSY, "ebusy"), (ECANCELED, "ecanceled"), (ECHILD, "echild"), (ECONNABORTED, "econnaborted"),
        (ECONNREFUSED, "econnrefused"), (ECONNRESET, "econnreset"), (EDEADLK, "edeadlk"), (EDESTADDRREQ, "edestaddrreq"),
        (EDOM, "edom"), (EDQUOT, "edquot"), (EEXIST, "eexist"), (EFAULT, "efault"), (EFBIG, "efbig"), (EHOSTDOWN, "ehostdown"),
        (EHOSTUNREACH, "ehostunreach"), (EIDRM, "eidrm"), (EILSEQ, "eilseq"), (EINPROGRESS, "einprogress"), (EINTR, "eintr"),
        (EINVAL, "einval"), (EIO, "eio"), (EISCONN, "eisconn"), (EISDIR, "eisdir"), (ELOOP, "eloop"), (EMFILE, "emfile"),
        (EMLINK, "emlink"), (EMSGSIZE, "emsgsize"), (EMULTIHOP, "emultihop"), (ENAMETOOLONG, "enametoolong"),
        (ENETDOWN, "enetdown"), (ENETRESET, "enetreset"), (ENETUNREACH, "enetunreach"), (ENFILE, "enfile"),
        (ENOBUFS, "enobufs"), (ENODATA, "enodata"), (ENODEV, "enodev"), (ENOENT, "enoent"), (ENOEXEC, "enoexec"),
        (ENOLCK, "enolck"), (ENOLINK, "enolink"), (ENOMEM, "enomem"), (ENOMSG, "enomsg"), (ENOPROTOOPT, "enoprotoopt"),
        (ENOSPC, "enospc"), (ENOSR, "enosr"), (ENOSTR, "enostr"), (ENOSYS, "enosys"), (ENOTBLK, "enotblk"),
        (ENOTCONN, "enotconn"), (ENOTDIR, "enotdir"), (ENOTEMPTY, "enotempty"), (ENOTRECOVERABLE, "enotrecoverable"),
        (ENOTSOCK, "enotsock"), (ENOTTY, "enotty"), (ENXIO, "enxio"), (EOPNOTSUPP, "eopnotsupp"), (EOVERFLOW, "eoverflow"),
        (EOWNERDEAD, "eownerdead"), (EPERM, "eperm"), (EPFNOSUPPORT, "epfnosupport"), (EPIPE, "epipe"), (EPROTO, "eproto"),
        (EPROTONOSUPPORT, "eprotonosupport"), (EPROTOTYPE, "eprototype"), (ERANGE, "erange"), (EREMOTE, "eremote"),
        (EROFS, "erofs"), (ESHUTDOWN, "eshutdown"), (ESOCKTNOSUPPORT, "esocktnosupport"), (ESPIPE, "espipe"), (ESRCH, "esrch"),
        (ESTALE, "estale"), (ETIME, "etime"), (ETIMEDOUT, "etimedout"), (ETOOMANYREFS, "etoomanyrefs"), (ETXTBSY, "etxtbsy"),
        (EUSERS, "eusers"), (EXDEV, "exdev"),
    ]

    #if canImport(Darwin)
        private static let namesOfThisSystem: [(Int32, String)] = [
            (EAUTH, "eauth"), (EBADARCH, "ebadarch"), (EBADEXEC, "ebadexec"), (EBADMACHO, "ebadmacho"), (EBADRPC, "ebadrpc"),
            (EDEVERR, "edeverr"), (EFTYPE, "eftype"), (ENEEDAUTH, "eneedauth"), (ENOATTR, "enoattr"), (ENOPOLICY, "enopolicy"),
            (ENOTSUP, "enotsup"), (EPROCLIM, "eproclim"), (EPROCUNAVAIL, "eprocunavail"), (EPROGMISMATCH, "eprogmismatch"),
            (EPROGUNAVAIL, "eprogunavail"), (EPWROFF, "epwroff"), (EQFULL, "eqfull"), (ERPCMISMATCH, "erpcmismatch"),
            (ESHLIBVERS, "eshlibvers"),
        ]
    #elseif os(Linux) || os(Android)
        private static let namesOfThisSystem: [(Int32, String)] = [
            (EADV, "eadv"), (EBADE, "ebade"), (EBADFD, "ebadfd"), (EBADR, "ebadr"), (EBADRQC, "ebadrqc"), (EBADSLT, "ebadslt"),
            (EBFONT, "ebfont"), (ECHRNG, "echrng"), (ECOMM, "ecomm"), (EDOTDOT, "edotdot"), (EHWPOISON, "ehwpoison"),
            (EISNAM, "eisnam"), (EKEYEXPIRED, "ekeyexpired"), (EKEYREJECTED, "ekeyrejected"), (EKEYREVOKED, "ekeyrevoked"),
            (EL2HLT, "el2hlt"), (EL2NSYNC, "el2nsync"), (EL3HLT, "el3hlt"), (EL3RST, "el3rst"), (ELIBACC, "elibacc"),
            (ELIBBAD, "elibbad"), (ELIBEXEC, "elibexec"), (ELIBMAX, "elibmax"), (ELIBSCN, "elibscn"), (ELNRNG, "elnrng"),
            (EMEDIUMTYPE, "emediumtype"), (ENAVAIL, "enavail"), (ENOANO, "enoano"), (ENOCSI, "enocsi"), (ENOKEY, "enokey"),
            (ENOMEDIUM, "enomedium"), (ENONET, "enonet"), (ENOPKG, "enopkg"), (ENOTNAM, "enotnam"), (ENOTUNIQ, "enotuniq"),
            (EREMCHG, "eremchg"), (EREMOTEIO, "eremoteio"), (ERESTART, "erestart"), (ERFKILL, "erfkill"), (ESRMNT, "esrmnt"),
            (ESTRPIPE, "estrpipe"), (EUCLEAN, "euclean"), (EUNATCH, "eunatch"), (EXFULL, "exfull"),
        ]
    #else
        private static let namesOfThisSystem: [(Int32, String)] = []
    #endif
}
