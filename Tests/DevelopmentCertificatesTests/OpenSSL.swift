import Foundation
import Testing

/// The `openssl` tool, where one is installed: a second opinion on what we encode.
enum OpenSSL {
    struct Result {
        var status: Int32
        var output: String
    }

    static let path: String? = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/usr/local/bin")
        .split(separator: ":")
        .map { "\($0)/openssl" }
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    static var isMissing: Bool { Self.path == nil }

    static func run(_ arguments: String...) throws -> Result { try Self.run(arguments) }

    private static func run(_ arguments: [String]) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.path ?? "/usr/bin/openssl")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Result(status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
    }

    /// What the tool prints of a PEM block, without the last line break.
    static func read(_ pem: String, _ command: String, _ options: String...) throws -> String {
        try withTemporaryDirectory { directory in
            let file = try pem.written(to: directory + "/read.pem")
            let result = try Self.run([command, "-in", file] + options)
            try #require(result.status == 0, "\(result.output)")
            return String(result.output.trimmingSuffix { $0.isNewline })
        }
    }

    /// The extensions of a certificate or of a revocation list (not of its entries): by the name without "X509v3", the contents, preceded
    /// by "critical, " if the extension is critical.
    static func extensions(of pem: String, _ command: String = "x509") throws -> [String: String] {
        var extensions: [String: String] = [:]
        var name: String?
        var isInside = false
        for line in try Self.read(pem, command, "-noout", "-text").split(whereSeparator: \.isNewline) {
            let text = line.drop { $0 == " " }
            if ["Signature Algorithm", "Revoked Cert", "No Revoked"].contains(where: text.hasPrefix) { isInside = false }
            if isInside, text.hasPrefix("X509v3 ") {
                let parts = text.dropFirst("X509v3 ".count).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                name = String(parts[0])
                extensions[String(parts[0])] = parts.last?.contains("critical") == true ? "critical, " : ""
            } else if isInside, let name {
                extensions[name, default: ""] += text.trimmingSuffix { $0 == " " }
            }
            if text.hasPrefix("X509v3 extensions:") || text.hasPrefix("CRL extensions:") { isInside = true }
        }
        return extensions
    }
}

/// Runs `body` with a directory of its own, which is gone afterwards.
func withTemporaryDirectory<Value>(_ body: (String) throws -> Value) throws -> Value {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("certs-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

extension String {
    /// Writes the text to `path`, and gives that path back.
    func written(to path: String) throws -> String {
        try self.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }
}

extension [UInt8] {
    var hexadecimal: String {
        self.map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
    }
}

extension StringProtocol {
    func trimmingSuffix(while isTrimmed: (Character) -> Bool) -> SubSequence {
        let end = self.lastIndex { !isTrimmed($0) }.map { self.index(after: $0) }
        return self[..<(end ?? self.startIndex)]
    }
}
