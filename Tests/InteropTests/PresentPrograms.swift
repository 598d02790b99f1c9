import TestSupport
import Testing

extension Program? {
    /// The program; where it is absent, the test is skipped and says why.
    func required(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program {
        if let self { return self }
        try Test.cancel("\(name) is not installed", sourceLocation: sourceLocation)
    }
}
