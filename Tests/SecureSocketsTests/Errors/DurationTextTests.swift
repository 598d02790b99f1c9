import Testing

@testable import SecureSockets

@Suite struct `A duration in a message` {
    @Test(
        arguments: [
            (.seconds(2), "2 seconds"), (.seconds(1), "1 second"), (.milliseconds(1500), "1.5 seconds"),
            (.milliseconds(1250), "1.25 seconds"),
            (.milliseconds(1234), "1.23 seconds"), (.milliseconds(12_345), "12.3 seconds"), (.seconds(30), "30 seconds"),
            (.milliseconds(100), "0.1 seconds"), (.nanoseconds(99_968_462), "0.1 seconds"), (.milliseconds(250), "0.25 seconds"),
            (.nanoseconds(99_949_999), "99.9 ms"), (.milliseconds(50), "50 ms"), (.microseconds(1500), "1.5 ms"),
            (.milliseconds(1), "1 ms"),
            (.microseconds(20), "20 µs"), (.nanoseconds(7), "7 ns"), (.zero, "0 seconds"),
            (.seconds(90), "90 seconds"), (.seconds(120), "2 minutes"), (.milliseconds(119_900), "2 minutes"),
            (.seconds(150), "2.5 minutes"),
            (.seconds(7200), "2 hours"), (.seconds(86_400), "24 hours"), (.seconds(172_800), "2 days"),
            (.seconds(-1), "-1 seconds"), (.milliseconds(-250), "-0.25 seconds"),
            (.seconds(Int64.max), "106751991167301 days"), (Duration(secondsComponent: 0, attosecondsComponent: 1), "0 ns"),
        ] as [(Duration, String)])
    func `is rounded to three digits, in a unit that suits it`(_ duration: Duration, _ text: String) {
        #expect(duration.roundedText == text)
        // In every message of the library.
        #expect(self.message(duration) == "within \(text)")
    }

    private func message(_ duration: Duration) -> String {
        SecureSocketError.timedOut(.receiving, "within \(duration)").message
    }
}
