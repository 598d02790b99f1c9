import NIOCore
import TLSEngine

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The file of a listening Unix domain socket, which `bind` creates and which no system call removes.
///
/// A server that ended without removing its file leaves one that no process listens on, and with which `bind` fails. Such a file is
/// replaced; that of a running server is not, nor is a file that is no socket.
struct UnixSocketFile: Sendable {
    private let path: String
    private let identity: Identity

    /// The file, whatever its name. Unique as long as the socket is open.
    private struct Identity: Equatable {
        let device: dev_t
        let number: ino_t
        let isSocket: Bool

        init?(_ path: String) {
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            self.device = status.st_dev
            self.number = status.st_ino
            self.isSocket = status.st_mode & S_IFMT == S_IFSOCK
        }
    }

    /// Gives a descriptor the name `path`.
    ///
    /// - Parameter permissions: The permissions of the file; nil for those that the process's umask leaves.
    init(binding descriptor: Int32, to path: String, permissions: UInt16?) throws(IOError) {
        let address = try Self.address(path)
        func bindDescriptor() -> Int32 {
            address.withSockAddr { bind(descriptor, $0, socklen_t($1)) < 0 ? errno : 0 }
        }
        // On Linux, the file gets those of the descriptor's permissions that the umask leaves. There is no moment in which it has more.
        if let permissions { _ = fchmod(descriptor, mode_t(permissions)) }
        var error = bindDescriptor()
        if error == EADDRINUSE, Self.removeAbandoned(path) { error = bindDescriptor() }
        guard error == 0 else { throw IOError(errnoCode: error, reason: "bind") }
        guard let identity = Identity(path), identity.isSocket else { throw IOError(errnoCode: ENOENT, reason: "lstat") }
        self.path = Self.absolute(path)
        self.identity = identity
        if let permissions { try self.set(permissions) }
    }

    /// Gives the file permissions that the umask has removed.
    private func set(_ permissions: UInt16) throws(IOError) {
        var status = stat()
        if lstat(self.path, &status) == 0, status.st_mode & 0o777 == mode_t(permissions) { return }
        // A user who may write to the folder could have replaced the file by a link, or by another file.
        let error = fchmodat(AT_FDCWD, self.path, mode_t(permissions), AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0
        guard error == 0, Identity(self.path) == self.identity else {
            self.remove()
            throw IOError(errnoCode: error == 0 ? EEXIST : error, reason: "fchmodat")
        }
    }

    /// Removes the file unless another one has its name now. Call it before the descriptor is closed: its number may then be used again.
    func remove() {
        if Identity(self.path) == self.identity { _ = unlink(self.path) }
    }

    static func address(_ path: String) throws(IOError) -> SocketAddress {
        do {
            return try SocketAddress(unixDomainSocketPath: path)
        } catch {
            throw IOError(errnoCode: ENAMETOOLONG, reason: "bind")
        }
    }

    /// Removes a socket's file that no process listens on. Returns false if there is none.
    private static func removeAbandoned(_ path: String) -> Bool {
        guard let identity = Identity(path), identity.isSocket, Self.isAbandoned(path) else { return false }
        // Another server may have replaced it in the meantime.
        return Identity(path) == identity && unlink(path) == 0
    }

    private static func isAbandoned(_ path: String) -> Bool {
        guard let address = try? self.address(path) else { return false }
        let descriptor = socket(AF_UNIX, Self.streamType, 0)
        guard descriptor >= 0 else { return false }
        defer { _ = close(descriptor) }
        // A full queue must not make this wait.
        guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { return false }
        return address.withSockAddr { connect(descriptor, $0, socklen_t($1)) < 0 && errno == ECONNREFUSED }
    }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let directory = getcwd(nil, 0) else { return path }
        defer { free(directory) }
        return "\(String(cString: directory))/\(path)"
    }

    private static var streamType: Int32 {
        #if canImport(Glibc) || canImport(Android)
            Int32(SOCK_STREAM.rawValue)
        #else
            SOCK_STREAM
        #endif
    }

    /// Makes a socket listen, or changes the length of its queue.
    static func setBacklog(_ backlog: Int32, of descriptor: Int32) throws(IOError) {
        #if canImport(Glibc)
            let result = Glibc.listen(descriptor, backlog)
        #elseif canImport(Musl)
            let result = Musl.listen(descriptor, backlog)
        #elseif canImport(Android)
            let result = Android.listen(descriptor, backlog)
        #else
            let result = Darwin.listen(descriptor, backlog)
        #endif
        guard result == 0 else { throw IOError(errnoCode: errno, reason: "listen") }
    }

    /// Creates a descriptor that listens at `path`.
    static func listen(
        at path: String, backlog: Int32, permissions: UInt16?
    ) throws(IOError) -> (descriptor: Int32, file: UnixSocketFile) {
        let descriptor = socket(AF_UNIX, Self.streamType, 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        do throws(IOError) {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            let file = try UnixSocketFile(binding: descriptor, to: path, permissions: permissions)
            do {
                try self.setBacklog(backlog, of: descriptor)
            } catch {
                file.remove()
                throw error
            }
            return (descriptor, file)
        } catch {
            _ = close(descriptor)
            throw error
        }
    }
}

extension SecureSocketError {
    /// Rejects a path that cannot be the name of a Unix domain socket.
    static func unixAddress(_ path: String, step: Step) throws(SecureSocketError) -> SocketAddress {
        let fault: String
        let count = path.utf8.count
        if count == 0 {
            fault = "is empty"
        } else if path.utf8.contains(0) {
            fault = "has a NUL"
        } else if let address = try? UnixSocketFile.address(path) {
            return address
        } else {
            fault = "has \(count) bytes, and the name of a Unix domain socket has at most 103"
        }
        throw SecureSocketError(
            .invalidArgument, blame: .caller, step: step, "the path \"\(path.abbreviatedForDisplay)\" \(fault)",
            advice: count > 103 ? "Choose a shorter path, or one that is relative to the working directory" : nil)
    }

    /// Replaces advice that is about ports by advice about a socket's file.
    func aboutUnixSocket() -> SecureSocketError {
        let isListening = self.step == .listening
        let (code, advice): (Code, String)
        switch self.errorNumber {
        case ENOENT, ENOTDIR:
            code = isListening ? .addressNotAvailable : .connectionRefused
            advice = isListening ? "Create its folder first" : "Check the path, and that the server is running"
        case ECONNREFUSED:
            (code, advice) = (.connectionRefused, "Check that the server is running: the file may be left from an earlier run")
        case EACCES, EPERM:
            code = .accessDenied
            advice =
                isListening
                ? "Give this user the permission to write to the folder"
                : "Give this user the permission to write to the socket's file, and to search its folders"
        case EADDRINUSE:
            (code, advice) = (.addressInUse, "Another server listens there, or the file is no socket: choose another path")
        case EAGAIN:
            code = .connectionRefused
            advice = "The server's queue of new connections is full: try again, or raise its backlog"
        default: return self
        }
        return SecureSocketError(
            code, blame: self.blame, step: self.step, self.message, advice: advice, errorNumber: self.errorNumber)
    }
}
