import Foundation
import SecureSockets
import TLSEngine

/// The keys of a file or of Redis.
struct TicketKeysReport: Report {
    static let event = "ticketKeys"

    enum Action: String, Encodable { case made, rotated, shown, replaced }

    struct Key: Encodable {
        var name: String
        /// `seals`, `sealsNext` or `opens`.
        var use: String
        var sealsFrom: String?
        var sealsUntil: String?
        var opensUntil: String?
    }

    var place: String
    var action: Action
    var keys: [Key]

    init(place: TicketKeyPlace, keys ring: TicketKeys.Ring, action: Action) {
        self.init(place: place.file ?? "\(place.name) in Redis", keys: ring, action: action)
    }

    init(place: String, keys ring: TicketKeys.Ring, action: Action, now: Int64 = Int64(Date().timeIntervalSince1970)) {
        self.place = place
        self.action = action
        let sealing = ring.keys.filter { $0.sealsFrom <= now && now < $0.sealsUntil }.max { $0.sealsFrom < $1.sealsFrom }
        let first = sealing.map { key in ring.keys.first { $0.sealsFrom == key.sealsFrom && now < $0.sealsUntil } ?? key }
        let isTimed = ring.keys.contains { $0.sealsUntil != .max }
        let next = isTimed ? ring.keys.first { $0.sealsFrom > now } : ring.keys.dropFirst().first
        self.keys = ring.keys.map { key in
            Key(
                name: key.name, use: key == first ? "seals" : key == next ? "sealsNext" : "opens",
                sealsFrom: Self.date(key.sealsFrom), sealsUntil: Self.date(key.sealsUntil), opensUntil: Self.date(key.opensUntil))
        }
    }

    /// The time; nil if it stands for none.
    private static func date(_ seconds: Int64) -> String? {
        guard seconds > 0, seconds < .max else { return nil }
        return Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    }

    var text: String {
        let verb =
            switch self.action {
            case .made: "made"
            case .rotated: "rotated"
            case .shown: "keys"
            case .replaced: "replaced; servers forget all sessions when they have read it"
            }
        let lines = self.keys.map { key in
            let use =
                switch key.use {
                case "seals": "seals and opens"
                case "sealsNext": "opens, and seals next"
                default: "opens"
                }
            let times = [key.sealsFrom.map { "seals from \($0)" }, key.opensUntil.map { "opens until \($0)" }].compactMap(\.self)
            return "  \(key.name)  \(([use] + times).joined(separator: ", "))"
        }
        return (["\(self.place.escapedForDisplay): \(verb)"] + lines).joined(separator: "\n")
    }
}

/// A secret that was written.
struct TicketSecretReport: Report {
    static let event = "ticketSecret"

    var file: String

    var text: String { "\(self.file.escapedForDisplay): a new secret, for TicketKeys(derivedFrom: .init(file:)) on all servers" }
}
