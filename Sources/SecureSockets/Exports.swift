// The NIO declarations that appear in the public interface, so that `import SecureSockets` is enough to use it.
//
// With the upcoming feature `MemberImportVisibility` a file sees members of `ByteBuffer`, among them its conversions, only if the file
// imports their module, directly or through a re-export. Re-exporting single declarations makes their module's members visible and adds no
// other NIO name to a program. `@_exported` is not a documented attribute, but SwiftNIO and Hummingbird depend on it in the same way. A
// type alias would name the type but leave its members invisible. `.ci/examples` compiles the README in a package with that feature.
//
// `Logger` is not re-exported, because Apple's `os` has a type of the same name. A program that passes a logger imports `Logging`.
@_exported public import struct NIOCore.ByteBuffer
@_exported public import protocol NIOCore.EventLoop
@_exported public import protocol NIOCore.EventLoopGroup
