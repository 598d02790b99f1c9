import Foundation
import NIOCore
import SecureSocketsTesting
import TestSupport
import Testing

@testable import SecureSockets

@Suite struct `The reason of a failure` {
    @Test func `is what failed first, not that the connection then went`() async throws {
        let certificates = try TestCertificates.shared.get()
        let (client, server) = try await SecureSocket.connectedPair(
            client: certificates.clientConfiguration(), server: certificates.serverConfiguration())
        try await server.send("there")
        #expect(try await client.receive(exactly: 5) == ByteBuffer(string: "there"))
        let connection = client.connection
        connection.onLoop {
            // No record of this connection, and then a reset.
            connection.transportDelivered(ByteBuffer(bytes: [23, 3, 3, 0, 32] + [UInt8](repeating: 0, count: 32)))
            connection.transportBroke(IOError(errnoCode: 104, reason: "read"))
        }
        let error = try await #require(throws: SecureSocketError.self) { _ = try await client.receive() }
        #expect(error.code == .protocolError)
        #expect(error.libraryReason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC")
    }

    @Test func `is the most telling one of those of a name's addresses`() {
        let (refused, notAvailable, unreachable): (Int32, Int32, Int32) = (ECONNREFUSED, EADDRNOTAVAIL, ENETUNREACH)
        #expect(SystemError.mostTelling(of: [notAvailable, refused]) == refused)
        #expect(SystemError.mostTelling(of: [unreachable, refused]) == refused)
        #expect(SystemError.mostTelling(of: [unreachable]) == unreachable)
        #expect(SystemError.mostTelling(of: [refused, EMFILE]) == EMFILE)
        #expect(SystemError.mostTelling(of: []) == nil)
    }
}
