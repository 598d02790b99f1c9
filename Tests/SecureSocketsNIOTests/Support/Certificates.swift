import NIOCore
import NIOSSL
import SecureSockets
import SecureSocketsNIO
import SecureSocketsTesting
import Synchronization

/// The handlers of both implementations, with the same certificates.
final class Certificates: Sendable {
    private let authority: DevelopmentAuthority
    private let stranger: DevelopmentAuthority
    private let clientIdentity: DevelopmentIdentity
    private let servers = Mutex<[[String]: DevelopmentIdentity]>([:])

    init() throws {
        self.authority = try DevelopmentAuthority()
        self.stranger = try DevelopmentAuthority()
        self.clientIdentity = try self.authority.client()
    }

    private func serverIdentity(_ names: [String]) throws -> DevelopmentIdentity {
        try self.servers.withLock { servers in
            if let known = servers[names] { return known }
            let new = try self.authority.server(names: names)
            servers[names] = new
            return new
        }
    }

    func server(_ handlers: Handlers, _ settings: Settings) throws -> any ChannelHandler {
        let identity = try self.serverIdentity(settings.serverNames)
        switch handlers {
        case .secureSockets:
            var parameters = TLSParameters()
            parameters.applicationProtocols = settings.serverProtocols
            parameters.versions = settings.serverVersions
            let clients: TLSServerConfiguration.ClientAuthentication =
                switch settings.clientAuthentication {
                case .none: .none
                case .optional: .optional(trust: self.authority.trust)
                case .required: .required(trust: self.authority.trust)
                }
            let tls = try TLSServerConfiguration(identity: identity.identity, clients: clients, parameters: parameters)
            return TLSServerHandler(configuration: tls, options: settings.options)
        case .nioSSL:
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(identity.certificateChainPEM.utf8)).map {
                    .certificate($0)
                },
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(identity.privateKeyPEM.utf8), format: .pem)))
            tls.applicationProtocols = settings.serverProtocols
            tls.minimumTLSVersion = settings.serverVersions.lowerBound == .tls13 ? .tlsv13 : .tlsv12
            tls.maximumTLSVersion = settings.serverVersions.upperBound == .tls13 ? .tlsv13 : .tlsv12
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(self.authority.certificatePEM.utf8)))
            switch settings.clientAuthentication {
            case .none: tls.certificateVerification = .none
            case .optional: tls.certificateVerification = .optionalVerification
            case .required: tls.certificateVerification = .noHostnameVerification
            }
            return NIOSSLServerHandler(context: try NIOSSLContext(configuration: tls))
        }
    }

    func client(_ handlers: Handlers, _ settings: Settings) throws -> any ChannelHandler {
        let trusted = settings.trustsServer ? self.authority : self.stranger
        switch handlers {
        case .secureSockets:
            var parameters = TLSParameters()
            parameters.applicationProtocols = settings.clientProtocols
            parameters.versions = settings.clientVersions
            let tls = try TLSClientConfiguration(
                trust: trusted.trust, identity: settings.clientIdentity ? self.clientIdentity.identity : nil,
                parameters: parameters)
            return try TLSClientHandler(configuration: tls, serverHostname: settings.serverHostname, options: settings.options)
        case .nioSSL:
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(trusted.certificatePEM.utf8)))
            tls.applicationProtocols = settings.clientProtocols
            tls.minimumTLSVersion = settings.clientVersions.lowerBound == .tls13 ? .tlsv13 : .tlsv12
            tls.maximumTLSVersion = settings.clientVersions.upperBound == .tls13 ? .tlsv13 : .tlsv12
            if settings.clientIdentity {
                tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(self.clientIdentity.certificateChainPEM.utf8)).map
                {
                    .certificate($0)
                }
                tls.privateKey = .privateKey(
                    try NIOSSLPrivateKey(bytes: Array(self.clientIdentity.privateKeyPEM.utf8), format: .pem))
            }
            return try NIOSSLClientHandler(context: NIOSSLContext(configuration: tls), serverHostname: settings.serverHostname)
        }
    }
}
