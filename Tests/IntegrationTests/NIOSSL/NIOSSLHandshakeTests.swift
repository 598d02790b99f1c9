#if NIOSSLSupport
    import NIOCore
    import NIOEmbedded
    import NIOSSL
    import SecureSockets
    import SecureSocketsNIO
    import SecureSocketsTesting
    import TestSupport
    import Testing

    /// Handshakes of converted configurations with NIOSSL's own handlers.
    @Suite(.timeLimit(.minutes(5))) struct `A configuration that is converted from NIOSSL's` {
        private let material: NIOSSLMaterial

        init() throws { self.material = try NIOSSLMaterial() }

        /// A handshake of one converted side with NIOSSL's handler on the other.
        enum Converted: CaseIterable { case client, server, both }

        private func dialogue(
            _ converted: Converted, client: TLSConfiguration, server: TLSConfiguration, host: String? = "localhost",
            verification: TLSClientConfiguration.Verification = .full
        ) throws -> NIOSSLDialogue {
            let clientHandler: any ChannelHandler =
                if converted == .server {
                    try NIOSSLClientHandler(context: NIOSSLContext(configuration: client), serverHostname: host)
                } else {
                    try TLSClientHandler(
                        configuration: TLSClientConfiguration(client, verification: verification), serverHostname: host,
                        options: TLSHandlerOptions(client))
                }
            let serverHandler: any ChannelHandler =
                if converted == .client {
                    try NIOSSLServerHandler(context: NIOSSLContext(configuration: server))
                } else {
                    try TLSServerHandler(configuration: TLSServerConfiguration(server), options: TLSHandlerOptions(server))
                }
            return try NIOSSLDialogue(clientHandler, serverHandler)
        }

        private func information(_ end: NIOSSLDialogue.End) throws -> ConnectionInformation {
            try #require(try end.channel.pipeline.syncOperations.tlsInformation())
        }

        // MARK: Handshakes

        @Test(arguments: Converted.allCases)
        func `connects with NIOSSL's defaults`(_ converted: Converted) throws {
            let dialogue = try self.dialogue(converted, client: self.material.client, server: self.material.server)
            #expect(dialogue.isOpen, "\(dialogue.errors)")
            #expect(try dialogue.carriesText())
            let information = try self.information(converted == .client ? dialogue.client : dialogue.server)
            #expect(information.version == .tls13)
            #expect(information.group == .x25519MLKEM768)
        }

        @Test(arguments: Converted.allCases)
        func `negotiates an application protocol`(_ converted: Converted) throws {
            var (client, server) = (try self.material.client, try self.material.server)
            client.applicationProtocols = ["http/1.1", "h2"]
            server.applicationProtocols = ["h2", "http/1.1"]
            let dialogue = try self.dialogue(converted, client: client, server: server)
            // The server's order counts in both implementations.
            #expect(dialogue.client.recorder.applicationProtocol == "h2")
            #expect(dialogue.server.recorder.applicationProtocol == "h2")
        }

        @Test(arguments: Converted.allCases)
        func `negotiates TLS 1.2 with the suite of a list`(_ converted: Converted) throws {
            var (client, server) = (try self.material.client, try self.material.server)
            client.cipherSuiteValues = [.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]
            server.cipherSuites = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
            server.maximumTLSVersion = .tlsv12
            server.curves = [.secp384r1]
            let dialogue = try self.dialogue(converted, client: client, server: server)
            #expect(dialogue.isOpen, "\(dialogue.errors)")
            let information = try self.information(converted == .client ? dialogue.client : dialogue.server)
            #expect(information.version == .tls12)
            #expect(information.cipherSuite == .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)
            #expect(information.group == .secp384r1)
        }

        // MARK: Clients' certificates

        @Test(arguments: Converted.allCases)
        func `authenticates both sides`(_ converted: Converted) throws {
            let material = self.material.certificates.server
            let server = try TLSConfiguration.makeServerConfigurationWithMTLS(
                certificateChain: material.nioSSLChain, privateKey: .privateKey(material.nioSSLKey),
                trustRoots: .certificates(self.material.authority))
            let known = try self.dialogue(converted, client: self.material.knownClient, server: server)
            #expect(known.isOpen, "\(known.errors)")
            #expect(try known.carriesText())
            if converted != .client {
                #expect(try self.information(known.server).peerCertificate == self.material.certificates.client.certificate)
            }
            let anonymous = try self.dialogue(converted, client: self.material.client, server: server)
            #expect(!anonymous.isOpen)
            let foreign = try DevelopmentAuthority().client()
            var stranger = try self.material.client
            stranger.certificateChain = try foreign.nioSSLChain
            stranger.privateKey = .privateKey(try foreign.nioSSLKey)
            #expect(try !self.dialogue(converted, client: stranger, server: server).isOpen)
        }

        @Test func `requests a client's certificate if it is optional`() throws {
            var server = try self.material.server
            server.certificateVerification = .optionalVerification
            server.trustRoots = .certificates(try self.material.authority)
            let anonymous = try self.dialogue(.server, client: self.material.client, server: server)
            #expect(anonymous.isOpen, "\(anonymous.errors)")
            #expect(try self.information(anonymous.server).peerCertificate == nil)
            let known = try self.dialogue(.server, client: self.material.knownClient, server: server)
            #expect(try self.information(known.server).peerCertificate != nil)
        }

        @Test func `does not request a client's certificate without verification`() throws {
            let dialogue = try self.dialogue(.server, client: self.material.knownClient, server: self.material.server)
            #expect(dialogue.isOpen, "\(dialogue.errors)")
            #expect(try self.information(dialogue.server).peerCertificate == nil)
        }

        // MARK: A client's verification

        @Test func `verifies chain and name`() throws {
            let (client, server) = (try self.material.client, try self.material.server)
            #expect(try !self.dialogue(.client, client: client, server: server, host: "other.example").isOpen)
            var stranger = client
            stranger.trustRoots = .certificates(
                try NIOSSLCertificate.fromPEMBytes(Array(DevelopmentAuthority().certificatePEM.utf8)))
            #expect(try !self.dialogue(.client, client: stranger, server: server).isOpen)
        }

        @Test(arguments: [CertificateVerification.noHostnameVerification, .optionalVerification])
        func `verifies the chain only, if the call says so as well`(_ value: CertificateVerification) throws {
            var client = try self.material.client
            client.certificateVerification = value
            let other = try self.dialogue(
                .client, client: client, server: self.material.server, host: "other.example",
                verification: .dangerouslyWithoutHostName)
            #expect(other.isOpen, "\(other.errors)")
            client.trustRoots = .certificates(
                try NIOSSLCertificate.fromPEMBytes(Array(DevelopmentAuthority().certificatePEM.utf8)))
            let stranger = try self.dialogue(
                .client, client: client, server: self.material.server, verification: .dangerouslyWithoutHostName)
            #expect(!stranger.isOpen)
        }

        @Test func `verifies nothing, if the call says so as well`() throws {
            var client = TLSConfiguration.makeClientConfiguration()
            client.certificateVerification = .none
            // NIOSSL does not read the roots either.
            client.trustRoots = .file("/nowhere/roots.pem")
            let dialogue = try self.dialogue(
                .client, client: client, server: self.material.server, host: "other.example", verification: .dangerouslyNone)
            #expect(dialogue.isOpen, "\(dialogue.errors)")
        }

        @Test(arguments: Converted.allCases)
        func `trusts the additional roots too`(_ converted: Converted) throws {
            var client = TLSConfiguration.makeClientConfiguration()
            client.trustRoots = .certificates([])
            client.additionalTrustRoots = [.certificates(try self.material.authority)]
            let dialogue = try self.dialogue(converted, client: client, server: self.material.server)
            #expect(dialogue.isOpen, "\(dialogue.errors)")
        }
    }
#endif
