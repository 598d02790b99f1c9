import Dispatch
import Foundation
import NIOCore
import SecureSockets
import Synchronization
import TestSupport
import Testing

@testable import TLSCommand

/// The tool's log while its reader is slow, or reads nothing.
@Suite(.timeLimit(.minutes(5))) struct `The log` {
    private struct Note: Report {
        static let event = "note"
        var number: Int
        var text: String { "\(self.number)" }
    }

    /// A reader that takes lines when it is let to.
    private final class SlowReader: Sendable {
        let mayRead = DispatchSemaphore(value: 0)
        let isReading = DispatchSemaphore(value: 0)
        private let lines = Mutex<[String]>([])

        var output: LineOutput {
            LineOutput { line in
                self.isReading.signal()
                self.mayRead.wait()
                self.lines.withLock { $0.append(line) }
            }
        }

        var all: [String] { self.lines.withLock { $0 } }

        func read(_ count: Int) { for _ in 0..<count { self.mayRead.signal() } }
    }

    @Test func `prints in order, all of it before it is flushed`() async {
        let reader = SlowReader()
        let log = EventLog(Reporter(style: .text, output: reader.output))
        for number in 0..<100 { log.add(Note(number: number)) }
        reader.read(100)
        await log.flush(within: Encounter.patience)
        #expect(reader.all == (0..<100).map { "\($0)" })
    }

    @Test func `keeps so many lines for a slow reader, and counts the others`() async {
        let reader = SlowReader()
        let log = EventLog(Reporter(style: .text, output: reader.output), limit: 4)
        for number in 0..<10 { log.add(Note(number: number)) }
        reader.read(5)
        await log.flush(within: Encounter.patience)
        #expect(
            reader.all == ["0", "1", "2", "3", "6 lines were dropped, because standard error was not read fast enough"])
        log.add(Note(number: 10))
        reader.read(1)
        await log.flush(within: Encounter.patience)
        #expect(reader.all.last == "10")
    }

    @Test func `is not waited for if it is not read`() async throws {
        let reader = SlowReader()
        let log = EventLog(Reporter(style: .text, output: reader.output))
        for number in 0..<10 { log.add(Note(number: number)) }
        try await onThread { reader.isReading.wait() }
        await log.flush(within: .milliseconds(10))
        #expect(reader.all == [])
        reader.read(10)
        await log.flush(within: Encounter.patience)
        #expect(reader.all.count == 10)
    }

    @Test func `a server whose standard error is not read serves, and stops when it is told to`() async throws {
        let files = try CertificateFiles()
        let tool = try Tool(["serve", "0", "--host", "127.0.0.1", "--json"] + files.server, readsErrors: false)
        let line = try #require(await tool.output.line(with: "listening"))
        let port = try #require(try Line.one(line).port)
        // Each is logged, until no byte fits.
        while try tool.unreadErrorBytes < 60_000 {
            try await onThread {
                let client = try RawSocket.connect(to: port)
                try client.send("this is not TLS")
                try client.receiveUntilEnd()
                client.close()
            }
        }
        let honest = try Tool(["connect", "127.0.0.1:\(port)", "--ca", files.authority])
        try honest.send("hello")
        try honest.endInput()
        #expect(await honest.outcome().output == "hello")
        tool.send(signal: SIGTERM)
        #expect(await tool.outcome().status == 0)
    }

    @Test func `a server stops within its grace, though clients stay`() async throws {
        let serving = try await Serving(nil, "--grace", "0.2")
        let tls = try TLSClientConfiguration(trust: .only(.file(serving.certificates.authority)))
        let idle = try await SecureSocket.connect(to: "127.0.0.1", port: serving.port, tls: tls)
        let silent = try RawSocket.connect(to: serving.port)
        try await idle.send("hello")
        #expect(try await idle.receive() == ByteBuffer(string: "hello"))
        let outcome = await serving.stop(SIGTERM)
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("\"event\":\"stopping\""))
        silent.close()
        idle.close()
    }
}
