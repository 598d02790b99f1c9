/// The format of a value on the command line.
struct ValueFormat<Value: Sendable>: Sendable {
    /// The placeholder for the value in help.
    var placeholder: String
    /// The possible values, if they are few.
    var possibleValues: [String] = []
    /// Parses a text. Throws the error without the name of the argument, which the parser adds.
    var parse: @Sendable (String) throws(UsageError) -> Value
    /// Returns the text of a default in help; nil if help does not show it.
    var print: @Sendable (Value) -> String? = { _ in nil }
}

extension ValueFormat<Bool> {
    /// The format of a flag, whose presence means true.
    static var presence: Self { Self(placeholder: "", parse: { _ in true }) }
}

extension ValueFormat<String> {
    static func text(_ placeholder: String) -> Self { Self(placeholder: placeholder, parse: { $0 }, print: { $0 }) }
}

extension ValueFormat<Int> {
    static func number(_ range: ClosedRange<Int>, _ placeholder: String = "number") -> Self {
        Self(
            placeholder: placeholder,
            parse: { text throws(UsageError) in
                if let number = Int(text), range.contains(number) { return number }
                let isNumber = text.wholeMatch(of: /[+-]?[0-9]+/) != nil
                throw UsageError(
                    "\(text.quotedArgument) is \(isNumber ? "out of range" : "not a whole number"); "
                        + "give a number from \(range.lowerBound) to \(range.upperBound)")
            },
            print: { "\($0)" })
    }
}

extension ValueFormat where Value: CaseIterable & RawRepresentable, Value.RawValue: CustomStringConvertible {
    /// One of the cases of an enumeration, by its raw value.
    static func choice(_ placeholder: String) -> Self {
        Self(
            placeholder: placeholder, possibleValues: Value.allCases.map { "\($0.rawValue)" },
            parse: { text throws(UsageError) in
                if let value = Value.allCases.first(where: { "\($0.rawValue)" == text }) { return value }
                let values = Value.allCases.map { "'\($0.rawValue)'" }.listed(with: "or")
                throw UsageError("\(text.quotedArgument) is not one of the possible values; give \(values)")
            },
            print: { "\($0.rawValue)" })
    }
}
