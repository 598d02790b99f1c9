package import DevelopmentCertificates

/// Fixed dates, so that every run writes the same.
extension ValidityPeriod {
    package static let current = ValidityPeriod(.utcTime("240101000000Z"), .utcTime("490101000000Z"))
    package static let expired = ValidityPeriod(.utcTime("200101000000Z"), .utcTime("210101000000Z"))
    package static let notYetValid = ValidityPeriod(.utcTime("480101000000Z"), .utcTime("490101000000Z"))
}
