import SecureSockets
import TestSupport
import Testing

/// A chain, the name that is asked for, and the verdict that is right.
struct ChainCase: Sendable, CustomTestStringConvertible {
    /// Who presents the chain; the other side verifies it.
    enum Presenter: String, Sendable, Codable { case server, client }

    /// A short sentence, different for every case.
    let name: String
    let presenter: Presenter
    /// The name or address that a client checks; nil: none.
    let host: String?
    let right: RightVerdict
    /// The reason for a verdict that differs from that of most peers.
    let why: Why?
    let make: @Sendable () throws -> Chain

    init(
        _ name: String, from presenter: Presenter = .server, host: String? = "www.example.org", _ right: RightVerdict,
        why: Why? = nil, make: @escaping @Sendable () throws -> Chain
    ) {
        self.name = name
        self.presenter = presenter
        self.host = presenter == .server ? host : nil
        self.right = right
        self.why = why
        self.make = make
    }

    var testDescription: String { self.name }
}

/// The verdict that is right for this library.
enum RightVerdict: Sendable, Equatable, CustomStringConvertible {
    case accepted
    case refused(CertificateProblem.Kind)
    /// The handshake fails for this reason of BoringSSL before the chain is verified.
    case protocolError(String)

    var description: String {
        switch self {
        case .accepted: "accepted"
        case .refused(let kind): "refused as \(kind.description)"
        case .protocolError(let reason): "failed with \(reason)"
        }
    }
}

/// Cases about one subject: a heading of the page.
struct ChainGroup: Sendable {
    let name: String
    let cases: [ChainCase]

    init(_ name: String, _ cases: [ChainCase]) {
        self.name = name
        self.cases = cases
    }
}

extension ChainGroup {
    static let all: [ChainGroup] = [
        .good, .incomplete, .validity, .renewed, .crossSigned, .sameName, .weak, .dnsConstraints, .addressConstraints,
        .otherConstraints, .purposes, .authorities, .pathLengths, .extensions, .hostNames, .addresses, .serialNumbers, .dates,
        .signatures,
    ]

    static let allCases: [ChainCase] = Self.all.flatMap(\.cases)
}
