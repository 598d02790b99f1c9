import Foundation
import SecureSockets
import TLSEngine

/// The offers of both sides in a negotiation that failed, for text and JSON.
struct NegotiationReport: Encodable, Sendable {
    struct Offer: Encodable, Sendable {
        var versions: [String]
        var cipherSuites: [String]
        var groups: [String]
        var signatureSchemes: [String]
        var applicationProtocols: [String]

        /// The most values of a list in JSON. A peer may send thousands.
        private static let longestList = 64
        /// The most values of a list in text.
        private static let longestLine = 12

        init(_ offer: SecureSocketError.Negotiation.Offer) {
            func names(_ values: [some CustomStringConvertible]) -> [String] {
                values.prefix(Self.longestList).map(\.description)
            }
            self.versions = names(offer.versions)
            self.cipherSuites = names(offer.cipherSuites)
            self.groups = names(offer.groups)
            self.signatureSchemes = names(offer.signatureSchemes)
            self.applicationProtocols = names(offer.applicationProtocols)
        }

        /// A line for each list that is not empty.
        var lines: [String] {
            let rows = [
                ("versions", self.versions), ("ciphers", self.cipherSuites), ("groups", self.groups),
                ("signatures", self.signatureSchemes), ("protocols", self.applicationProtocols),
            ]
            return rows.filter { !$0.1.isEmpty }.map { name, values in
                let more = values.count - Self.longestLine
                let text = values.prefix(Self.longestLine).map(\.escapedForDisplay).joined(separator: ", ")
                return name.padding(toLength: 13, withPad: " ", startingAt: 0) + text + (more > 0 ? ", …" : "")
            }
        }
    }

    /// The parameter on which the sides do not agree; nil if the peer does not report it.
    var parameter: String?
    var own: Offer
    var peer: Offer?

    init(_ negotiation: SecureSocketError.Negotiation) {
        self.parameter = negotiation.parameter?.description
        self.own = Offer(negotiation.own)
        self.peer = negotiation.peer.map(Offer.init)
    }

    var lines: [String] {
        let peer = self.peer.map { ["  the peer:"] + $0.lines.map { "    " + $0 } } ?? ["  the peer has not stated its own"]
        return ["  this side:"] + self.own.lines.map { "    " + $0 } + peer
    }
}
