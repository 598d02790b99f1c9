package import TLSEngine

/// A source of certificates or of a private key: a file, or its contents.
///
/// A string literal, with or without interpolations (`"\(folder)/server.pem"`), is a path. For a path in a variable, write `.file(path)`.
public struct CredentialSource: Sendable, Hashable, ExpressibleByStringInterpolation {
    package let input: PEMInput

    package init(_ input: PEMInput) { self.input = input }

    /// Creates the source for the file at a path.
    public init(stringLiteral path: String) { self = .file(path) }

    /// Returns the source for a file.
    ///
    /// The file is read when the identity or trust is created. A relative path is resolved against the working directory at that time.
    public static func file(_ path: String) -> CredentialSource { CredentialSource(.file(path: path)) }

    /// Returns the source for a file's contents.
    public static func bytes(_ bytes: [UInt8]) -> CredentialSource { CredentialSource(.bytes(bytes)) }

    /// Returns the source for PEM text.
    public static func text(_ pem: String) -> CredentialSource { .bytes(Array(pem.utf8)) }
}
