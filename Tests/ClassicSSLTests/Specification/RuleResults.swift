import Foundation
import Synchronization
import Testing

/// Counts the specification's rules by what became of their tests, and prints the count when the program ends.
///
/// To be put on every suite that `RuleLedger` names.
struct RuleResults: SuiteTrait, TestTrait, TestScoping {
    // On each of its tests.
    let isRecursive = true

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        Self.printAtEnd
        let name = test.name.replacing("`", with: "").prefix { $0 != "(" }
        let hasFailed = Mutex(false)
        defer {
            Self.passed.withLock {
                $0[String(name), default: true] = $0[String(name), default: true] && !hasFailed.withLock { $0 }
            }
        }
        do {
            // Nothing is known to fail: this only looks at every issue, and lets it pass.
            try await withKnownIssue(isIntermittent: true) {
                try await function()
            } matching: { _ in
                hasFailed.withLock { $0 = true }
                return false
            }
        } catch {
            hasFailed.withLock { $0 = true }
            throw error
        }
    }

    /// The tests that have run, and whether all of their cases have passed.
    private static let passed = Mutex<[String: Bool]>([:])

    private static let printAtEnd: Void = {
        _ = atexit {
            print(RuleResults.summary)
        }
    }()

    private static var summary: String {
        let results = Self.passed.withLock { $0 }
        var (tested, passing, failing) = (0, 0, [String]())
        for (rule, coverage) in RuleLedger.entries {
            guard case .test(let name) = coverage else { continue }
            tested += 1
            switch results[name] {
            case true: passing += 1
            case false: failing.append(rule)
            case nil: break
            }
        }
        let all = "rules in the specification: \(RuleLedger.specification.count), with a test: \(tested), passing: \(passing)"
        return failing.isEmpty ? all : all + ", failing: " + failing.joined(separator: " ")
    }
}

extension Trait where Self == RuleResults {
    /// Counts the rules that this suite's tests are for.
    static var countsRules: Self { Self() }
}
