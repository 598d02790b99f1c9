import TestSupport
import Testing

/// Which programs of other people's are here to be talked to. Where one is absent, its tests are skipped; a skipped case of a
/// parameterised test says nothing, and so these say it.
@Suite struct `Programs to talk to` {
    @Test(.enabled(if: Program.openssl != nil, "OpenSSL 3 is not installed: nothing is tested with s_client and s_server"))
    func openssl() {}

    @Test(.enabled(if: Program.curl != nil, "curl is not installed: nothing is tested with it"))
    func curl() {}

    @Test(.enabled(if: Program.python != nil, "Python 3 with ssl is not installed: nothing is tested with it"))
    func python() {}

    @Test(.enabled(if: Program.node != nil, "Node.js is not installed: nothing is tested with it"))
    func node() {}

    @Test(.enabled(if: GoPeer.go != nil, "Go is not installed: nothing is tested with it"))
    func go() {}

    @Test(.enabled(if: Nginx.program != nil, "nginx is not installed, or has no TLS: nothing is tested with it"))
    func nginx() {}
}

extension Program? {
    /// The program; where it is absent, the test is skipped.
    func required(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program {
        if let self { return self }
        try Test.cancel("\(name) is not installed", sourceLocation: sourceLocation)
    }
}
