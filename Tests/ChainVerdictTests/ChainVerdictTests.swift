import SecureSockets
import Testing

@Suite(.timeLimit(.minutes(5))) struct `Verdicts on chains` {
    @Test(arguments: ChainGroup.allCases)
    func `a chain gets the verdict that is right`(_ chainCase: ChainCase) async throws {
        let verdict = try await OurVerdicts.shared.verdict(on: chainCase)
        #expect(verdict.agrees(with: chainCase.right), "the verdict is: \(verdict); right is: \(chainCase.right)")
    }

    @Test func `every case has a name of its own`() {
        let names = ChainGroup.allCases.map(\.name)
        #expect(Set(names).count == names.count)
    }
}
