import TestSupport

/// The chains of all cases, built once a process.
enum BuiltChains {
    static func chain(of chainCase: ChainCase) throws -> Chain {
        guard let built = Self.all[chainCase.name] else { throw UnknownCase(name: chainCase.name) }
        return try built.get()
    }

    private static let all: [String: Result<Chain, any Error>] = Dictionary(
        ChainGroup.allCases.map { chainCase in (chainCase.name, Result(catching: chainCase.make)) },
        uniquingKeysWith: { first, _ in first })

    private struct UnknownCase: Error { let name: String }
}
