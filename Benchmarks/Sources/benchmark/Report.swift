import Foundation

/// What a run leaves in a file.
struct Report: Codable {
    /// How it was measured.
    struct Settings: Codable {
        let quick: Bool
        let rounds: Int
        let only: String?
        let tls: String
    }

    let machine: Machine
    let load: String
    let settings: Settings
    /// What the load and each contender have settled on, by contender.
    var negotiated: [String: String] = [:]
    var results: [Result] = []

    init(_ options: MeasuringOptions) {
        self.machine = .current
        self.load = Load.description
        self.settings = Settings(
            quick: options.quick, rounds: options.rounds, only: options.only, tls: BenchmarkIdentity.description)
    }

    func write(to file: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(self).write(to: URL(fileURLWithPath: file), options: .atomic)
    }
}

/// Where it was measured.
struct Machine: Codable {
    let processor: String
    let cores: Int
    let memoryBytes: Int
    let system: String
    let kernel: String
    let swift: String

    static var current: Machine {
        let information = ProcessInfo.processInfo
        return Machine(
            processor: self.processor, cores: information.activeProcessorCount, memoryBytes: Int(information.physicalMemory),
            system: information.operatingSystemVersionString, kernel: self.firstLine(of: ["uname", "-sr"]),
            swift: self.firstLine(of: ["swift", "--version"]))
    }

    private static var processor: String {
        #if canImport(Darwin)
            return self.firstLine(of: ["sysctl", "-n", "machdep.cpu.brand_string"])
        #else
            let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
            let model = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last
            return model.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
        #endif
    }

    private static func firstLine(of command: [String]) -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return "unknown" }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? "unknown"
    }
}
