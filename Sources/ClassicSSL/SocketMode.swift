import SecureSockets

/// How a socket's data is delivered to its owner. Set by options for the socket's life (specification §3, §4).
struct SocketMode: OptionSet, Sendable {
    let rawValue: UInt8

    /// As a list, not as a binary.
    static let list = SocketMode(rawValue: 1 << 0)
    /// By message, not by `recv`.
    static let active = SocketMode(rawValue: 1 << 1)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    var isBinary: Bool { !self.contains(.list) }
    var isActive: Bool { self.contains(.active) }

    init(isBinary: Bool, isActive: Bool) {
        self = []
        if !isBinary { self.insert(.list) }
        if isActive { self.insert(.active) }
    }
}

extension SecureSocket {
    var mode: SocketMode { SocketMode(rawValue: self.tag) }
}

extension SocketOptions.StreamRules {
    /// The classic interface's (specification §2 `close`, §4.4, §7).
    static let classic: Self = [
        .writingEndsWithReading, .truncationIsAnEnd, .failureIsReportedOnce, .closingFailsSends, .optionsEndWithWriting,
    ]
}
