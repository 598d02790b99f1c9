/// An error of the tool itself, as opposed to one of the library.
struct ToolError: Error, Hashable {
    var code: String
    var message: String
    var advice: String?
    var status: ExitStatus

    /// The reader of standard output has exited, as `head` does. The error is not reported.
    static let readerGone = ToolError(code: "readerGone", message: "the reader of the output has exited", status: .success)

    static func inputUnusable(_ message: String) -> ToolError {
        ToolError(code: "inputUnusable", message: message, status: .configuration)
    }

    static func outputUnusable(_ message: String) -> ToolError {
        ToolError(code: "outputUnusable", message: message, status: .configuration)
    }

    static func lineTooLong(limit: Int) -> ToolError {
        ToolError(
            code: "lineTooLong", message: "a line of the input is longer than a packet may be, which is \(limit) bytes",
            advice: "Choose a larger --packet, or shorter lines", status: .configuration)
    }

    static func folderUnusable(_ message: String) -> ToolError {
        ToolError(
            code: "folderUnusable", message: message, advice: "Set TMPDIR to a folder you may write to", status: .configuration)
    }

    /// The demonstration failed.
    static func demonstration(_ message: String) -> ToolError {
        ToolError(
            code: "unexpected", message: "the demonstration failed: \(message)",
            advice: "This is a bug; please report it with this line", status: .failure)
    }
}
