// `import ClassicSSL` is enough for both interfaces: a socket is also a `SecureSocket` (``SSL/Socket/secureSocket``), and its data is a
// `ByteBuffer`. The reasons are in the file of this name of `SecureSockets`, which re-exports `ByteBuffer` in turn.
@_exported public import SecureSockets
