/// What an error says of a failed connection: the cause, as the end of a sentence about the peer, and the next step.
struct FailureMessage: Equatable {
    let text: String
    let advice: String?

    init(_ text: String, _ advice: String? = nil) {
        self.text = text
        self.advice = advice
    }
}
