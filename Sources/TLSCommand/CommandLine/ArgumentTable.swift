/// The description of an argument for the parser and for help.
struct ArgumentForm: Sendable {
    enum Kind: Sendable { case flag, option, repeatableOption, requiredPositional, optionalPositional, repeatedPositional }

    var kind: Kind
    /// The name, with its hyphens if it is an option.
    var name: String
    /// The letter of the short option.
    var short: Character?
    /// The placeholder for the value in help.
    var placeholder: String
    var help: String
    var possibleValues: [String] = []
    var defaultValue: String?

    var isPositional: Bool { [.requiredPositional, .optionalPositional, .repeatedPositional].contains(self.kind) }
    var takesValue: Bool { self.kind != .flag }
}

/// An argument and the function that stores its value.
struct Argument<Root>: Sendable {
    var form: ArgumentForm
    /// Parses a value and stores it. A flag ignores the text.
    var assign: @Sendable (inout Root, String) throws(UsageError) -> Void
}

/// The check of a group of arguments.
struct GroupCheck<Root>: Sendable {
    var validate: @Sendable (Root) throws(UsageError) -> Void
}

/// The arguments of a command or of a group, declared as rows:
///
///     static let arguments: ArgumentTable<Serve> = [
///         .required("port", \.port, .number(0...65_535), "The port to listen on."),
///         .option("--host", \.host, .text("address"), "The local address to listen on."),
///         .group(\.identity),
///         .flag("--json", \.json, "Print JSON."),
///     ]
struct ArgumentTable<Root: ArgumentGroup>: Sendable, ExpressibleByArrayLiteral {
    typealias Path<Value> = WritableKeyPath<Root, Value> & Sendable

    private(set) var arguments: [Argument<Root>] = []
    /// The checks of the groups in the table.
    private(set) var checks: [GroupCheck<Root>] = []

    init(arrayLiteral rows: ArgumentTable...) {
        self.arguments = rows.flatMap(\.arguments)
        self.checks = rows.flatMap(\.checks)
    }

    private init<Value>(
        _ kind: ArgumentForm.Kind, _ name: String, _ short: Character?, _ format: ValueFormat<Value>, _ help: String,
        default value: Value? = nil, store: @escaping @Sendable (inout Root, Value) -> Void
    ) {
        var form = ArgumentForm(kind: kind, name: name, short: short, placeholder: format.placeholder, help: help)
        if form.isPositional { form.placeholder = name }
        form.possibleValues = format.possibleValues
        form.defaultValue = value.flatMap(format.print)
        self.arguments = [Argument(form: form) { root, text throws(UsageError) in store(&root, try format.parse(text)) }]
    }

    /// An option without a value. Repeating it has no further effect.
    static func flag(_ name: String, short: Character? = nil, _ path: any Path<Bool>, _ help: String) -> Self {
        Self(.flag, name, short, .presence, help) { root, _ in root[keyPath: path] = true }
    }

    /// An option whose property has an initial value, which help shows as the default.
    static func option<Value>(
        _ name: String, short: Character? = nil, _ path: any Path<Value>, _ format: ValueFormat<Value>, _ help: String
    ) -> Self {
        Self(.option, name, short, format, help, default: Root()[keyPath: path]) { $0[keyPath: path] = $1 }
    }

    /// An option without a default.
    static func option<Value>(
        _ name: String, short: Character? = nil, _ path: any Path<Value?>, _ format: ValueFormat<Value>, _ help: String
    ) -> Self {
        Self(.option, name, short, format, help) { $0[keyPath: path] = $1 }
    }

    /// An option that may be repeated; its values are collected.
    static func repeated<Value>(
        _ name: String, short: Character? = nil, _ path: any Path<[Value]>, _ format: ValueFormat<Value>, _ help: String
    ) -> Self {
        Self(.repeatableOption, name, short, format, help) { $0[keyPath: path].append($1) }
    }

    /// A positional argument. It always replaces the property's initial value.
    static func required<Value>(_ name: String, _ path: any Path<Value>, _ format: ValueFormat<Value>, _ help: String) -> Self {
        Self(.requiredPositional, name, nil, format, help) { $0[keyPath: path] = $1 }
    }

    /// An optional positional argument.
    static func optional<Value>(_ name: String, _ path: any Path<Value?>, _ format: ValueFormat<Value>, _ help: String) -> Self {
        Self(.optionalPositional, name, nil, format, help) { $0[keyPath: path] = $1 }
    }

    /// The positional arguments after all others, at least one; its values are collected.
    static func repeated<Value>(
        positional name: String, _ path: any Path<[Value]>, _ format: ValueFormat<Value>, _ help: String
    ) -> Self {
        Self(.repeatedPositional, name, nil, format, help) { $0[keyPath: path].append($1) }
    }

    /// The arguments of a group that several commands share.
    static func group<Group: ArgumentGroup>(_ path: any Path<Group>) -> Self {
        var table: Self = []
        table.arguments = Group.arguments.arguments.map { argument in
            Argument(form: argument.form) { root, text throws(UsageError) in try argument.assign(&root[keyPath: path], text) }
        }
        for check in Group.arguments.checks {
            table.checks.append(GroupCheck { root throws(UsageError) in try check.validate(root[keyPath: path]) })
        }
        table.checks.append(GroupCheck { root throws(UsageError) in try root[keyPath: path].validate() })
        return table
    }
}
