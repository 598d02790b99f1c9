package import TLSEngine

/// A file, or its content, with certificates or a key.
///
/// A string literal is a path, also one with interpolations (`"\(folder)/server.pem"`); for a path in a variable write `.file(path)`.
public struct CredentialSource: Sendable, Hashable, ExpressibleByStringInterpolation {
    package let input: PEMInput

    private init(_ input: PEMInput) { self.input = input }

    public init(stringLiteral path: String) { self = .file(path) }

    /// A file. It is read when the identity or trust is made, relative to the working directory of that moment.
    public static func file(_ path: String) -> CredentialSource { CredentialSource(.file(path: path)) }

    /// The content of a file.
    public static func bytes(_ bytes: [UInt8]) -> CredentialSource { CredentialSource(.bytes(bytes)) }

    /// PEM text in a string.
    public static func text(_ pem: String) -> CredentialSource { .bytes(Array(pem.utf8)) }
}
