#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#elseif canImport(Android)
    import Android
#else
    import Glibc
#endif

/// The names in a folder.
enum FolderListing {
    enum Failure: Error {
        case unreadable(errno: Int32)
        /// There are more names than permitted.
        case tooMany
    }

    /// Returns the names in a folder, sorted, without those that begin with a dot. Blocks for as long as the file system does.
    ///
    /// - Parameter most: The largest permitted number of names.
    static func names(in folder: String, most: Int) throws(Failure) -> [String] {
        guard let directory = opendir(folder) else { throw .unreadable(errno: errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            // Only the error number tells the end of the folder from a failure.
            errno = 0
            guard let entry = readdir(directory) else {
                guard errno == 0 else { throw .unreadable(errno: errno) }
                break
            }
            let name = Self.name(of: entry)
            if name.hasPrefix(".") { continue }
            names.append(name)
            if names.count > most { throw .tooMany }
        }
        return names.sorted()
    }

    /// Returns the name of an entry. An entry is only as long as its name requires, so its field must not be copied as a whole.
    private static func name(of entry: UnsafeMutablePointer<dirent>) -> String {
        guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return "" }
        let start = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
        return String(decoding: UnsafeRawBufferPointer(start: start, count: strlen(start)), as: UTF8.self)
    }
}
