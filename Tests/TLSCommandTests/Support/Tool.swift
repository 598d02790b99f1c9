import Dispatch
import Foundation
import NIOCore
import Synchronization

@testable import TLSCommand

/// The built tool, running in a process of its own.
///
/// A process that outlives what any test needs is killed, so that nothing waits for ever.
final class Tool: Sendable {
    struct Outcome: Sendable {
        var status: Int32
        var output: String
        var errors: String
    }

    let output: Transcript
    let errors: Transcript
    private let process: Process
    private let input: FileHandle
    private let exit: AsyncStream<Int32>

    private static let longest = DispatchTimeInterval.seconds(120)

    /// Starts `tls`. Its standard input stays open until ``endInput()``.
    ///
    /// - Parameters:
    ///   - environment: What is added to this process's own.
    ///   - descriptors: How many descriptors it may have open; nil: as many as this process.
    ///   - readsErrors: Otherwise its standard error is read when it has ended.
    init(
        _ arguments: [String], environment: [String: String] = [:], descriptors: Int? = nil, readsErrors: Bool = true
    ) throws {
        let process = Process()
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let descriptors {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", "ulimit -n \(descriptors) && exec \"$0\" \"$@\"", Self.executable.path] + arguments
        } else {
            process.executableURL = Self.executable
            process.arguments = arguments
        }
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        let (exit, continuation) = AsyncStream.makeStream(of: Int32.self)
        process.terminationHandler = { process in
            // As a shell would tell it.
            let isSignal = process.terminationReason == .uncaughtSignal
            continuation.yield((isSignal ? 128 : 0) + process.terminationStatus)
            continuation.finish()
        }
        // A tool that has ended reads no more, and that is for the test to judge.
        signal(SIGPIPE, SIG_IGN)
        try process.run()
        self.process = process
        self.input = input.fileHandleForWriting
        self.output = Transcript(output.fileHandleForReading)
        self.errors = Transcript(errors.fileHandleForReading, startsAtOnce: readsErrors)
        self.exit = exit
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.longest) { [weak self] in self?.end() }
    }

    deinit { self.end() }

    private func end() {
        if self.process.isRunning { kill(self.process.processIdentifier, SIGKILL) }
    }

    func send(_ text: String) throws { try self.input.write(contentsOf: Data(text.utf8)) }

    func endInput() throws { try self.input.close() }

    func send(signal number: Int32) { kill(self.process.processIdentifier, number) }

    /// How much of its standard error waits to be read.
    var unreadErrorBytes: Int {
        get throws {
            var count: CInt = 0
            guard ioctl(self.errors.descriptor, UInt(FIONREAD), &count) == 0 else { throw IOFailure(number: errno) }
            return Int(count)
        }
    }

    /// Waits for the end. To be called once.
    func outcome() async -> Outcome {
        var status: Int32 = -1
        for await value in self.exit { status = value }
        self.errors.start()
        return Outcome(status: status, output: await self.output.whole(), errors: await self.errors.whole())
    }

    /// Runs `tls` to its end.
    static func run(_ arguments: String..., input: String = "") async throws -> Outcome {
        try await Self.run(arguments: arguments, input: input)
    }

    static func run(arguments: [String], input: String = "") async throws -> Outcome {
        let tool = try Tool(arguments)
        try tool.send(input)
        try tool.endInput()
        return await tool.outcome()
    }

    /// Beside the bundle of the tests.
    private static let executable: URL = {
        let bundles = Bundle.allBundles.map(\.bundleURL).filter { $0.pathExtension == "xctest" }
        let folders = bundles.map { $0.deletingLastPathComponent() }
        let own = URL(fileURLWithPath: CommandLine.arguments.first ?? "").resolvingSymlinksInPath().deletingLastPathComponent()
        let candidates = (folders + [own, Bundle.main.bundleURL]).map { $0.appendingPathComponent("tls") }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) } ?? candidates[0]
    }()
}

/// What a program prints, as it comes.
final class Transcript: Sendable {
    private struct State {
        var text = ""
        var hasStarted = false
        var hasEnded = false
        var waiters: [(part: String, continuation: CheckedContinuation<String?, Never>)] = []
    }

    private let state = Mutex(State())
    private let handle: FileHandle

    init(_ handle: FileHandle, startsAtOnce: Bool = true) {
        self.handle = handle
        if startsAtOnce { self.start() }
    }

    var descriptor: CInt { self.handle.fileDescriptor }

    /// Begins to read, if it has not begun yet.
    func start() {
        let isFirst = self.state.withLock { state in
            defer { state.hasStarted = true }
            return !state.hasStarted
        }
        guard isFirst else { return }
        Task {
            for try await chunk in InputChunks(self.handle.fileDescriptor, name: "the tool") { self.add(String(buffer: chunk)) }
            try self.handle.close()
            self.end()
        }
    }

    private func add(_ text: String) {
        self.state.withLock { state in
            state.text += text
            state.waiters.removeAll { waiter in
                guard let line = Self.line(with: waiter.part, in: state.text) else { return false }
                waiter.continuation.resume(returning: line)
                return true
            }
        }
    }

    private func end() {
        self.state.withLock { state in
            state.hasEnded = true
            for waiter in state.waiters { waiter.continuation.resume(returning: waiter.part.isEmpty ? state.text : nil) }
            state.waiters.removeAll()
        }
    }

    /// Waits for a line that contains a text; nil if the program ends without it.
    func line(with part: String) async -> String? {
        await withCheckedContinuation { continuation in
            self.state.withLock { state in
                if let line = Self.line(with: part, in: state.text) {
                    continuation.resume(returning: line)
                } else if state.hasEnded {
                    continuation.resume(returning: nil)
                } else {
                    state.waiters.append((part, continuation))
                }
            }
        }
    }

    /// Waits for the end, and tells everything.
    func whole() async -> String {
        await withCheckedContinuation { continuation in
            self.state.withLock { state in
                if state.hasEnded { return continuation.resume(returning: state.text) }
                state.waiters.append(("", continuation))
            }
        } ?? ""
    }

    /// A line that is complete.
    private static func line(with part: String, in text: String) -> String? {
        if part.isEmpty { return nil }
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().first { $0.contains(part) }
            .map(String.init)
    }
}

/// A line of JSON, as far as tests ask.
struct Line: Decodable {
    struct Certificate: Decodable { var subject: String }
    struct Failure: Decodable {
        var code: String
        var message: String
        var advice: String?
    }

    var event: String
    var port: Int?
    var version: String?
    var cipher: String?
    var group: String?
    var applicationProtocol: String?
    var certificates: [Certificate]?
    var bytes: Int?
    var echoedBytes: Int?
    var code: String?
    var blame: String?
    var exitStatus: Int32?
    var error: Failure?
    var serverSaw: Failure?

    static func all(_ text: String) throws -> [Line] {
        try text.split(separator: "\n").map { try Self.one(String($0)) }
    }

    static func one(_ text: String) throws -> Line { try JSONDecoder().decode(Line.self, from: Data(text.utf8)) }
}
