extension SSL {
    /// Texts for the reasons of the operating system and of `inet` (inet(3), errno(3) of Linux and Darwin).
    static let systemReasonTexts: [String: String] = [
        // Files and paths
        "e2big": "the list of arguments is too long", "eacces": "permission denied", "ebadf": "bad file descriptor",
        "ebusy": "the file or device is in use", "edquot": "the disk quota is used up", "eexist": "the file exists",
        "efault": "bad address in memory", "efbig": "the file is too large", "eftype": "the file is of the wrong type",
        "eintr": "the call was interrupted", "eio": "input or output has failed", "eisdir": "is a directory",
        "eloop": "too many symbolic links", "emfile": "too many open files", "emlink": "too many links to the file",
        "enametoolong": "the file name is too long", "enfile": "too many open files in the system",
        "enodev": "no such device", "enoent": "no such file or directory", "enospc": "no space is left on the device",
        "enotblk": "is not a block device", "enotdir": "is not a directory", "enotempty": "the directory is not empty",
        "enotty": "the call does not fit the device", "enxio": "no such device or address",
        "eperm": "the operation is not permitted", "erofs": "the file system is read-only",
        "espipe": "the descriptor has no position", "estale": "the file handle is out of date",
        "etxtbsy": "the program file is in use", "exdev": "the files are on different file systems",
        "enoattr": "no such attribute", "enomedium": "no medium in the drive", "emediumtype": "wrong type of medium",
        "euclean": "the file system has to be repaired", "edirty": "the file system was not unmounted cleanly",
        "ebadfd": "the file descriptor is in a bad state",

        // Processes, memory and values
        "eagain": "not possible at present; try again", "ewouldblock": "the operation would have to wait",
        "ecanceled": "the operation was cancelled", "echild": "no child processes", "edeadlk": "a deadlock was avoided",
        "edeadlock": "a deadlock on a file lock was avoided", "edom": "the argument is out of the function's domain",
        "eilseq": "an invalid sequence of bytes", "einval": "invalid argument", "enoexec": "the program file has a wrong format",
        "enolck": "no locks are available", "enomem": "out of memory", "enosys": "the call is not implemented",
        "enotrecoverable": "the state cannot be recovered", "enotsup": "not supported", "eoverflow": "the value is too large",
        "eownerdead": "the owner of the lock has ended", "eproclim": "too many processes", "erange": "the result is out of range",
        "esrch": "no such process", "esuccess": "no error", "eusers": "too many users", "erestart": "the call has to be repeated",
        "eqfull": "the queue of the interface is full", "ehwpoison": "the memory page has a hardware error",
        "einit": "initialization has failed",

        // Network
        "eaddrinuse": "the address is in use", "eaddrnotavail": "the address is not available",
        "eafnosupport": "the address family is not supported", "ealready": "the operation is already in progress",
        "econnaborted": "the connection was aborted", "econnrefused": "the connection was refused",
        "econnreset": "the connection was reset by the peer", "edestaddrreq": "a destination address is required",
        "ehostdown": "the host is down", "ehostunreach": "no route to the host", "einprogress": "the operation is in progress",
        "eisconn": "the socket is already connected", "emsgsize": "the message is too long", "enetdown": "the network is down",
        "enetreset": "the network has dropped the connection", "enetunreach": "the network cannot be reached",
        "enobufs": "no buffer space", "enonet": "the machine is not on the network",
        "enoprotoopt": "the protocol has no such option", "enotconn": "the socket is not connected",
        "enotsock": "is not a socket", "eopnotsupp": "the operation is not supported on the socket",
        "epfnosupport": "the protocol family is not supported", "epipe": "broken pipe",
        "eprotonosupport": "the protocol is not supported", "eprototype": "the protocol has the wrong type for the socket",
        "erefused": "the request was refused", "eshutdown": "the socket was shut down",
        "esocktnosupport": "the socket type is not supported", "etimedout": "the connection timed out",
        "etoomanyrefs": "too many references", "enotuniq": "the name is not unique on the network", "enet": "a network error",
        "erfkill": "the radio is switched off",
        "exbadport": "the port of the address is out of range or malformed", "exbadseq": "a command is out of sequence",
        "nxdomain": "the host or domain name is not known",

        // Streams and messages
        "ebadmsg": "a bad message", "eidrm": "the identifier was removed", "enodata": "no data is available",
        "enomsg": "no message of the wanted type", "enosr": "no stream resources are left", "enostr": "is not a stream",
        "eproto": "a protocol error", "etime": "the timer has expired", "estrpipe": "a stream pipe failed",
        "elnrng": "the link number is out of range", "echrng": "the channel number is out of range",
        "ecomm": "sending has failed on the link", "enolink": "the link was cut", "emultihop": "several hops were attempted",
        "el2hlt": "level 2 has halted", "el2nsync": "level 2 is not synchronized", "el3hlt": "level 3 has halted",
        "el3rst": "level 3 was reset", "eunatch": "no protocol driver is attached", "enocsi": "no CSI structure is available",

        // Remote files and procedure calls
        "eadv": "an advertise error", "ebadrpc": "the remote procedure call is malformed", "edotdot": "an RFS error",
        "eremchg": "the remote address has changed", "eremdev": "the device is remote", "eremote": "the file is remote",
        "eremoteio": "remote input or output has failed", "eremoterelease": "the remote end was released",
        "erremote": "an error at the remote end", "erpcmismatch": "the version of the procedure call is wrong",
        "eprocunavail": "the procedure is not available", "eprogmismatch": "the version of the program is wrong",
        "eprogunavail": "the program is not available", "esrmnt": "remote file systems are still mounted",
        "eversion": "a version mismatch",

        // Programs, libraries and devices
        "ealign": "a misaligned address", "ebade": "an invalid exchange", "ebadr": "an invalid request descriptor",
        "ebadrqc": "an invalid request code", "ebadslt": "an invalid slot", "ebfont": "a font file with a bad format",
        "eduppkg": "the package exists twice", "elbin": "the inode is remote", "elibacc": "a shared library cannot be accessed",
        "elibbad": "a shared library is damaged", "elibexec": "a shared library cannot be executed",
        "elibmax": "too many shared libraries", "elibscn": "the library section of the program is damaged",
        "enoano": "no anode", "enopkg": "the package is not installed", "enosym": "no such symbol",
        "exfull": "the exchange is full", "eisnam": "is a named file", "enavail": "no XENIX semaphores are available",
        "enotnam": "is not a XENIX named file", "ebadarch": "the program is for another processor",
        "ebadexec": "the program is damaged", "ebadmacho": "the Mach-O file is malformed", "edeverr": "the device has failed",
        "epwroff": "the device is switched off", "eshlibvers": "the version of a shared library is wrong",

        // Keys and access
        "eauth": "authentication has failed", "eneedauth": "authentication is required",
        "ekeyexpired": "the kernel's key has expired",
        "ekeyrejected": "the key was rejected by its service", "ekeyrevoked": "the kernel's key was revoked",
        "enokey": "the required key is not available", "enopolicy": "no such policy",
    ]
}
