package import SecureSockets

extension TLSParameters {
    /// Creates the default parameters for one version only, if one is given.
    package init(_ version: TLSProtocolVersion? = nil, depth: Int = 10) {
        self.init()
        if let version { self.versions = version...version }
        self.maximumChainDepth = depth
    }
}

extension TLSParameters {
    /// The default parameters, without resumption.
    package static var withoutSessions: TLSParameters {
        var parameters = TLSParameters()
        parameters.sessionLifetime = .zero
        return parameters
    }
}
