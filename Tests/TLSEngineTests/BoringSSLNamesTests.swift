import Foundation
import Testing

@Suite struct `What the sources use of BoringSSL` {
    @Test func `is listed, sorted and without what is no longer used`() throws {
        let used = try Self.namesInSources()
        #expect(used.count > 300, "the sources were not found, or are no longer read correctly")
        let listed = Set(boringSSLNames)
        #expect(used.subtracting(listed).sorted() == [], "add these to BoringSSLNames.swift, which says what to check first")
        #expect(listed.subtracting(used).sorted() == [], "remove these from BoringSSLNames.swift")
        #expect(boringSSLNames == listed.sorted())
    }

    @Test func `is found outside comments and texts`() {
        let source = #"""
            // SSL_read, and "an unfinished text
            let text = "SSL_write \"\\" + SSL_pending(connection) // "SSL_peek"
            /* SSL_new
               SSL_free */ BIO_new(c.a_b, 0xff_ff, _ = 1)
            """#
        #expect(Self.names(in: source) == ["SSL_pending", "BIO_new", "a_b"])
        #expect(Self.names(in: "let a = \"\"\"\n  SSL_new \" SSL_free\n  \"\"\"; sk_X509_num(b)") == ["sk_X509_num"])
    }

    /// Names with an underscore in files that import `CNIOBoringSSL`. Swift names have none; these are the exceptions.
    private static let others: Set<String> = ["R_OK", "d_name", "tv_sec", "tv_usec", "time_t", "v1_2", "v1_3"]

    private static func namesInSources() throws -> Set<String> {
        let sources = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Sources").standardizedFileURL
        var names: Set<String> = []
        for case let file as URL in try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
        where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            if text.contains("import CNIOBoringSSL\n") { names.formUnion(Self.names(in: text)) }
        }
        return names.subtracting(Self.others)
    }

    private static func names(in source: String) -> Set<String> {
        let commentOrText = /"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//
        let code = source.replacing(commentOrText, with: " ")
        let words = code.matches(of: /[A-Za-z0-9_]+/).map { String($0.output) }
        return Set(words.filter { $0.wholeMatch(of: /[A-Za-z][A-Za-z0-9]*_\w+/) != nil })
    }
}
