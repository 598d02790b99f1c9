import TestSupport

/// nginx in one process in the foreground, with all of its files in a temporary folder.
struct Nginx {
    static let program: Program? = {
        // Debian's folder for it is not in the path of every user.
        guard let program = Program("nginx") ?? Program(path: "/usr/sbin/nginx"),
            let outcome = try? program.run(["-V"]), outcome.output.contains("http_ssl_module")
        else { return nil }
        return program
    }()

    let port: Int
    private let running: RunningProgram

    /// Starts nginx on a free port of 127.0.0.1.
    ///
    /// nginx cannot have the operating system choose a port. A port that was just free is used. If it is in use by the time
    /// nginx binds, another one is tried, up to ten in all.
    ///
    /// - Parameters:
    ///   - folder: The folder of nginx's files.
    ///   - http: The contents of the `http` block, for the address and port to listen on.
    init(in folder: TemporaryDirectory, _ http: (_ address: String) throws -> String) async throws {
        guard let program = Self.program else {
            throw ProgramFailure(description: "nginx is not installed")
        }
        var outcome = ""
        for _ in 1...10 {
            let candidate = try RawListener(isListening: false)
            candidate.close()
            let settings = try folder.write(Self.settings(folder, try http("127.0.0.1:\(candidate.port)")), to: "nginx.conf")
            let running = try RunningProgram(
                program, ["-p", folder.path, "-e", "/dev/stdout", "-c", settings])
            // The first line after it listens.
            if await running.line(behind: ": nginx/") != nil {
                self.port = candidate.port
                self.running = running
                return
            }
            outcome = await running.outcome().output
            if !outcome.contains("Address already in use") { break }
        }
        throw ProgramFailure(description: "nginx did not start: \(outcome)")
    }

    /// Ends nginx, and returns its error log, which it writes without a buffer.
    func stop() async throws -> String {
        self.running.kill()
        return await self.running.outcome().output
    }

    private static func settings(_ folder: TemporaryDirectory, _ http: String) -> String {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder.path(of: $0));" }.joined(separator: "\n")
        return """
            daemon off;
            master_process off;
            pid \(folder.path(of: "nginx.pid"));
            error_log /dev/stdout info;
            events { worker_connections 64; }
            http {
            access_log off;
            \(temporary)
            \(http)
            }
            """
    }
}
