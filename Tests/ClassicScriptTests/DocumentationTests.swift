import TestSupport
import Testing

@Suite struct `The documentation` {
    /// Not a copy that could grow old.
    @Test func `the porting guide shows the chat as it is built and run`() throws {
        let program = try Repository.text(of: "Examples/ClassicChat/ChatServer.swift")
        let guide = try Repository.text(of: "Sources/ClassicSSL/Documentation.docc/PortingFromErlang.md")
        #expect(guide.contains("```swift\n\(program)```\n"))
    }
}
