import SocketCore
import Testing

@Suite struct `A race of addresses` {
    typealias Race = HappyEyeballs<String>

    @Test func `tries the preferred family first, and then in turns`() {
        var race = Race(families: [.v6, .v4])
        #expect(race.resolved(.v6, ["a6", "b6"]) == .attempt("a6"))
        #expect(race.resolved(.v4, ["a4", "b4"]) == .none)
        #expect(race.attemptDelayPassed() == .attempt("a4"))
        #expect(race.attemptFailed() == .attempt("b6"))
        #expect(race.attemptFailed() == .attempt("b4"))
        #expect(race.attemptDelayPassed() == .none)
        #expect(race.attemptFailed() == .none)
        #expect(race.attemptFailed() == .exhausted)
    }

    @Test func `waits a moment for the preferred family`() {
        var race = Race(families: [.v6, .v4])
        #expect(race.resolved(.v4, ["a4"]) == .waitForPreferredFamily)
        #expect(race.resolved(.v6, ["a6"]) == .attempt("a6"))
        #expect(race.resolutionDelayPassed() == .none)
        #expect(race.attemptFailed() == .attempt("a4"))
    }

    @Test func `does not wait for the preferred family for long`() {
        var race = Race(families: [.v6, .v4])
        #expect(race.resolved(.v4, ["a4"]) == .waitForPreferredFamily)
        #expect(race.resolutionDelayPassed() == .attempt("a4"))
        #expect(race.resolved(.v6, ["a6"]) == .none)
        #expect(race.attemptFailed() == .attempt("a6"))
    }

    @Test func `goes on when a late lookup brings addresses and nothing else is under way`() {
        var race = Race(families: [.v6, .v4])
        #expect(race.resolved(.v6, ["a6"]) == .attempt("a6"))
        #expect(race.attemptFailed() == .none)
        #expect(race.resolved(.v4, ["a4"]) == .attempt("a4"))
        #expect(race.attemptFailed() == .exhausted)
    }

    @Test(arguments: [Race.Family.v6, .v4])
    func `tries what a late lookup brings beside an attempt that does not answer`(_ first: Race.Family) {
        var race = Race(families: [.v6, .v4])
        _ = race.resolved(first, ["silent"])
        if first == .v4 { #expect(race.resolutionDelayPassed() == .attempt("silent")) }
        #expect(race.attemptDelayPassed() == .none)
        #expect(race.resolved(first == .v6 ? .v4 : .v6, ["good", "better"]) == .attempt("good"))
        #expect(race.attemptDelayPassed() == .attempt("better"))
    }

    @Test func `is over when a late lookup brings none`() {
        var race = Race(families: [.v6, .v4])
        #expect(race.resolved(.v6, ["a6"]) == .attempt("a6"))
        #expect(race.attemptFailed() == .none)
        #expect(race.resolved(.v4, []) == .exhausted)
    }

    @Test func `does not wait for the other family when one has no addresses`() {
        var race = Race(families: [.v6, .v4])
        #expect(race.resolved(.v6, []) == .none)
        #expect(race.resolved(.v4, ["a4"]) == .attempt("a4"))
    }

    @Test func `is over at once when no name is known`() {
        var race = Race(families: [.v6, .v4])
        #expect(race.resolved(.v4, []) == .none)
        #expect(race.resolved(.v6, []) == .exhausted)
    }

    @Test func `tries one address that is given`() {
        var race = Race(families: [.v4])
        #expect(race.resolved(.v4, ["a4"]) == .attempt("a4"))
        #expect(race.attemptDelayPassed() == .none)
        #expect(race.attemptFailed() == .exhausted)
    }
}
