import Foundation

/// A server in a process of its own, so that its CPU time and memory are nobody else's.
protocol Server {
    var port: Int { get }
    var identifier: Int32 { get }
    /// What it has used so far.
    func usage() throws -> ServerUsage
    func stop()
}

struct ServerUsage: Codable {
    /// User and system time of all threads, in seconds.
    var cpuSeconds: Double
    /// The largest amount of memory so far, in bytes.
    var peakMemory: Int
    /// The amount of memory now, in bytes; 0 where the system does not tell.
    var memory: Int
}

/// One of ours, which is this program again.
final class ServerProcess: Server {
    let port: Int
    var identifier: Int32 { self.process.processIdentifier }
    private let process: Process
    private let commands: FileHandle
    private let answers: FileHandle
    private var unread = Data()

    /// - Parameters:
    ///   - arguments: What is to be served, and how.
    ///   - program: Whose arguments they are.
    init(_ arguments: [String], of program: String = CommandLine.arguments[0]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments + ["--controlled"]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        self.process = process
        self.commands = input.fileHandleForWriting
        self.answers = output.fileHandleForReading
        guard let port = Self.readLine(from: self.answers, &self.unread).flatMap({ Int($0) }) else {
            process.terminate()
            throw BenchmarkError("the server did not start: \(([program] + arguments).joined(separator: " "))")
        }
        self.port = port
    }

    func usage() throws -> ServerUsage {
        try self.commands.write(contentsOf: Data("usage\n".utf8))
        guard let line = Self.readLine(from: self.answers, &self.unread) else {
            throw BenchmarkError("the server has ended")
        }
        return try JSONDecoder().decode(ServerUsage.self, from: Data(line.utf8))
    }

    func stop() {
        try? self.commands.close()
        self.process.waitUntilExit()
    }

    private static func readLine(from handle: FileHandle, _ unread: inout Data) -> String? {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: unread[unread.startIndex..<end], as: UTF8.self)
                unread = Data(unread[(end + 1)...])
                return line
            }
            let more = handle.availableData
            if more.isEmpty { return nil }
            unread.append(more)
        }
    }

    /// The server's side of it: says where it listens.
    static func tell(_ port: Int) {
        FileHandle.standardOutput.write(Data("\(port)\n".utf8))
    }

    /// The server's side of it: answers until its standard input ends, and then ends the process.
    static func answerCommands() {
        let thread = Thread {
            while let command = Swift.readLine() {
                guard command == "usage", let data = try? JSONEncoder().encode(Self.currentUsage()) else { continue }
                FileHandle.standardOutput.write(data + Data("\n".utf8))
            }
            exit(0)
        }
        thread.start()
    }

    private static func currentUsage() -> ServerUsage {
        var usage = rusage()
        #if canImport(Glibc)
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
            getrusage(RUSAGE_SELF, &usage)
        #endif
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        let status = ProcessStatus(of: nil)
        return ServerUsage(
            cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            // Linux's `ru_maxrss` begins with the peak of the process that started this one.
            peakMemory: status.bytes("VmHWM") ?? usage.ru_maxrss,
            memory: status.bytes("VmRSS") ?? 0)
    }
}

/// What Linux says of a process; nothing elsewhere.
struct ProcessStatus {
    private let lines: [Substring]

    /// - Parameter process: nil: this one.
    init(of process: Int32?) {
        let file = "/proc/\(process.map { "\($0)" } ?? "self")/status"
        self.lines = (try? String(contentsOfFile: file, encoding: .utf8))?.split(separator: "\n") ?? []
    }

    /// The processes that it has started and that still run.
    static func children(of process: Int32) -> [Substring] {
        let file = "/proc/\(process)/task/\(process)/children"
        return (try? String(contentsOfFile: file, encoding: .utf8))?.split(separator: " ") ?? []
    }

    /// An amount of memory.
    func bytes(_ name: String) -> Int? {
        let line = self.lines.first { $0.hasPrefix("\(name):") }
        let kibibytes = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
        return kibibytes.map { $0 * 1024 }
    }
}

struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
