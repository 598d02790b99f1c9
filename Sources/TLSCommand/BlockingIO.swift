import Dispatch
import Foundation
import NIOCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// Versions of `read` and `write` that wait whatever the descriptor's mode is. A program that shares the terminal may have made it
/// non-blocking.
enum BlockingIO {
    /// Reads up to `limit` bytes; waits if none are available. Returns nil at the end.
    static func read(_ descriptor: CInt, limit: Int) throws(IOFailure) -> ByteBuffer? {
        var buffer = ByteBuffer()
        var number: CInt = 0
        repeat {
            number = 0
            let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: limit) { bytes in
                let count = systemRead(descriptor, UnsafeMutableRawBufferPointer(rebasing: bytes[..<limit]))
                if count < 0 { number = errno }
                return max(count, 0)
            }
            if number == 0 { return count == 0 ? nil : buffer }
        } while self.canTryAgain(descriptor, number, for: Int16(POLLIN))
        throw IOFailure(number: number)
    }

    /// Writes all of the bytes.
    static func write(_ bytes: some Sequence<UInt8>, to descriptor: CInt) throws(IOFailure) {
        let bytes = Array(bytes)
        let failure: CInt? = bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = systemWrite(descriptor, UnsafeRawBufferPointer(rebasing: rest))
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else {
                    let number = errno
                    guard self.canTryAgain(descriptor, number, for: Int16(POLLOUT)) else { return number }
                }
            }
            return nil
        }
        if let failure { throw IOFailure(number: failure) }
    }

    /// Returns whether the call can be tried again. Waits until the descriptor is ready if necessary.
    private static func canTryAgain(_ descriptor: CInt, _ number: CInt, for events: Int16) -> Bool {
        if number == EINTR { return true }
        guard number == EAGAIN || number == EWOULDBLOCK else { return false }
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        _ = poll(&entry, 1, -1)
        return true
    }
}

/// The operating system's error number.
struct IOFailure: Error {
    var number: CInt

    var text: String { String(cString: strerror(self.number)) }
}

// Out of reach inside a type that has a `read` and a `write` of its own.
private func systemRead(_ descriptor: CInt, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, bytes.baseAddress, bytes.count)
}

private func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}
