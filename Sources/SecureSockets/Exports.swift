// The declarations of NIO that the public interface's signatures use, so that `import SecureSockets` is enough to call it.
//
// With the upcoming feature `MemberImportVisibility` a file sees members of `ByteBuffer`, among them its conversions, only if the file
// imports their module, directly or by a re-export. A re-export of single declarations makes their module's members visible, and adds no
// other name of NIO to a program. `@_exported` is not a documented attribute, but SwiftNIO and Hummingbird depend on it in the same way; a
// type alias would name the type and leave its members invisible. `.ci/examples` compiles the README in a package with that feature.
//
// `Logger` is not re-exported: its name is also that of a type of Apple's `os`, and a program that passes one has imported `Logging`.
@_exported public import struct NIOCore.ByteBuffer
@_exported public import protocol NIOCore.EventLoop
@_exported public import protocol NIOCore.EventLoopGroup
