import SocketCore
import Testing

@Suite struct `A second attempt without ML-KEM` {
    @Test func `begins once, while the first hello is unanswered`() {
        var retry = MLKEMRetry(isEnabled: true, isPossible: true)
        #expect(retry.begins(isAnswered: true) == false)
        #expect(retry.begins(isAnswered: false) == true)
        #expect(retry.begins(isAnswered: false) == false)
        #expect(retry.wait(of: nil) == nil)
    }

    @Test(arguments: [(true, false), (false, true), (false, false)])
    func `needs permission, and groups of both kinds`(isEnabled: Bool, isPossible: Bool) {
        var retry = MLKEMRetry(isEnabled: isEnabled, isPossible: isPossible)
        #expect(retry.wait(of: .seconds(30)) == nil)
        #expect(retry.begins(isAnswered: false) == false)
    }

    @Test func `is waited for a quarter of the time, at most five seconds`() {
        let retry = MLKEMRetry(isEnabled: true, isPossible: true)
        #expect(retry.wait(of: .seconds(2)) == .milliseconds(500))
        #expect(retry.wait(of: .seconds(20)) == .seconds(5))
        #expect(retry.wait(of: .seconds(30)) == .seconds(5))
        #expect(retry.wait(of: nil) == .seconds(5))
    }
}
