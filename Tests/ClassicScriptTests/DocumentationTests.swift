import Foundation
import Testing

@Suite struct `The documentation` {
    /// Not a copy that could grow old.
    @Test func `the porting guide shows the chat as it is built and run`() throws {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let program = try String(contentsOf: root.appending(path: "Examples/ClassicChat/ChatServer.swift"), encoding: .utf8)
        let guide = try String(
            contentsOf: root.appending(path: "Sources/ClassicSSL/Documentation.docc/PortingFromErlang.md"), encoding: .utf8)
        #expect(guide.contains("```swift\n\(program)```\n"))
    }
}
