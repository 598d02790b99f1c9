package import Foundation

/// The period for which a certificate is valid.
package struct Validity: Sendable, Hashable {
    /// The first moment the certificate is valid.
    package var notBefore: Date
    /// The last moment the certificate is valid.
    package var notAfter: Date

    private init(notBefore: Date, notAfter: Date) {
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// Creates a period with the given ends, for tests that need exact ones.
    package init(_ span: Range<Date>) {
        self.notBefore = span.lowerBound
        self.notAfter = span.upperBound
    }

    /// The same period in whole seconds, the resolution of certificates.
    var inSeconds: Validity {
        func wholeSecond(_ date: Date) -> Date { Date(timeIntervalSince1970: date.timeIntervalSince1970.rounded(.down)) }
        return Validity(notBefore: wholeSecond(self.notBefore), notAfter: wholeSecond(self.notAfter))
    }

    /// Returns a period of this many days that began a few minutes ago, so that a peer whose clock is behind accepts a new certificate.
    package static func days(_ days: Int) -> Validity {
        let start = Date(timeIntervalSinceNow: -Self.clockSkew)
        return Validity(start..<start.addingTimeInterval(Double(max(days, 1)) * Self.day))
    }

    /// The longest validity of a server certificate that all clients accept: 397 days.
    package static var leaf: Validity { .days(397) }

    /// Ten years, the validity of an authority.
    package static var authority: Validity { .days(3650) }

    /// Expired yesterday, after thirty days.
    package static var expired: Validity { Self.fromNow(days: -31, to: -1) }

    /// Valid from thirty days from now.
    package static var notYetValid: Validity { Self.fromNow(days: 30, to: 60) }

    private static func fromNow(days first: Double, to last: Double) -> Validity {
        let now = Date()
        return Validity(now.addingTimeInterval(first * Self.day)..<now.addingTimeInterval(last * Self.day))
    }

    private static let day: TimeInterval = 24 * 60 * 60
    private static let clockSkew: TimeInterval = 5 * 60
}
