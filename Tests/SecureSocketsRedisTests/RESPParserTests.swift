import NIOCore
import Testing

@testable import SecureSocketsRedis

@Suite struct `The parser` {
    private static let values: [(String, RedisValue)] = [
        ("+OK\r\n", .simpleString("OK")),
        ("+\r\n", .simpleString("")),
        ("-ERR no\r\n", .error("ERR no")),
        (":0\r\n", .integer(0)),
        (":+7\r\n", .integer(7)),
        (":-9223372036854775808\r\n", .integer(.min)),
        (":9223372036854775807\r\n", .integer(.max)),
        ("$0\r\n\r\n", .bulkString([])),
        ("$5\r\na\r\nb\n\r\n", .bulkString(Array("a\r\nb\n".utf8))),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("_\r\n", .null),
        ("*0\r\n", .array([])),
        ("*2\r\n:1\r\n*1\r\n$1\r\na\r\n", .array([.integer(1), .array([.bulkString([97])])])),
        ("#t\r\n", .boolean(true)),
        ("#f\r\n", .boolean(false)),
        (",1.5\r\n", .double(1.5)),
        (",-1e3\r\n", .double(-1000)),
        (",inf\r\n", .double(.infinity)),
        (",-inf\r\n", .double(-.infinity)),
        ("(-3492890328409238509324850943850943825024385\r\n", .bigNumber("-3492890328409238509324850943850943825024385")),
        ("!7\r\nERR a\r\n\r\n", .error("ERR a\r\n")),
        ("=7\r\ntxt:a b\r\n", .verbatimString(format: "txt", Array("a b".utf8))),
        ("%2\r\n+a\r\n:1\r\n+b\r\n_\r\n", .map([.init(.simpleString("a"), .integer(1)), .init(.simpleString("b"), .null)])),
        ("%0\r\n", .map([])),
        ("~2\r\n:1\r\n:2\r\n", .set([.integer(1), .integer(2)])),
        (">2\r\n+a\r\n+b\r\n", .push([.simpleString("a"), .simpleString("b")])),
        ("|1\r\n+ttl\r\n:3\r\n*2\r\n:1\r\n|1\r\n+a\r\n*1\r\n:0\r\n:2\r\n", .array([.integer(1), .integer(2)])),
        ("|0\r\n:1\r\n", .integer(1)),
        (String(repeating: "*1\r\n", count: 32) + "_\r\n", (0..<32).reduce(.null) { value, _ in .array([value]) }),
    ]

    @Test func `reads every type, divided at any position`() throws {
        for (text, value) in Self.values {
            for split in 0...text.utf8.count {
                var parser = RESPParser(maximumSize: 4096)
                let bytes = Array(text.utf8)
                parser.append(ByteBuffer(bytes: bytes[..<split]))
                var found = try parser.next()
                #expect(found == nil || split == bytes.count)
                parser.append(ByteBuffer(bytes: bytes[split...]))
                if found == nil { found = try parser.next() }
                #expect(found == value, "\(text) divided at \(split)")
                #expect(try parser.next() == nil)
                #expect(parser.isBetweenValues)
            }
        }
    }

    @Test func `reads many values byte by byte`() throws {
        var parser = RESPParser(maximumSize: 4096)
        var found: [RedisValue] = []
        for byte in Self.values.flatMap({ Array($0.0.utf8) }) {
            parser.append(ByteBuffer(bytes: [byte]))
            while let value = try parser.next() { found.append(value) }
        }
        #expect(found == Self.values.map(\.1))
    }

    @Test func `reads many values at once`() throws {
        var parser = RESPParser(maximumSize: 4096)
        parser.append(ByteBuffer(string: Self.values.map(\.0).joined()))
        for (_, value) in Self.values {
            let found = try parser.next()
            #expect(found == value)
        }
    }

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n", "\r\n", "\n", "+OK\n", ":\r\n", ":1a\r\n", ":--1\r\n", ":9223372036854775808\r\n",
        ":-9223372036854775809\r\n", "$a\r\n", "$?\r\n", "$-2\r\n", "!-1\r\n", "=-1\r\n", "*-2\r\n", "*?\r\n", "%-1\r\n",
        "~-1\r\n", ">-1\r\n",
        "$1\r\nab\r\n", "$1\r\na\n\n", "=3\r\ntxt\r\n", "#x\r\n", "#\r\n", "_x\r\n", ",\r\n", ",0x1p3\r\n", ",1.5 \r\n", "(\r\n",
        "(1.5\r\n",
        "*1\r\n>1\r\n+a\r\n", "\u{16}\u{3}\u{1}\r\n",
    ])
    func `refuses what is not RESP`(text: String) throws {
        var parser = RESPParser(maximumSize: 4096)
        parser.append(ByteBuffer(string: text))
        #expect(throws: RESPParser.Violation.self) { try parser.next() }
        parser.append(ByteBuffer(string: "+OK\r\n"))
        #expect(throws: RESPParser.Violation.self) { try parser.next() }
    }

    @Test(arguments: [
        "$4097\r\n", "$9223372036854775807\r\n", "*129\r\n", "*9223372036854775807\r\n", "%65\r\n", "%9223372036854775807\r\n",
        "~1152921504606846976\r\n", ">576460752303423488\r\n", "|4611686018427387904\r\n", "=5000\r\n", "!5000\r\n",
        "*2\r\n$20\r\naaaaaaaaaaaaaaaaaaaa\r\n$4000\r\n",
        "*100\r\n*100\r\n",
    ])
    func `refuses a reply that is larger than permitted, when its size is announced`(text: String) throws {
        var parser = RESPParser(maximumSize: 4096)
        parser.append(ByteBuffer(string: text))
        let violation = #expect(throws: RESPParser.Violation.self) { try parser.next() }
        #expect(violation?.message == "a reply of more than 4096 bytes")
    }

    @Test func `counts an element at least as large as it is in memory`() {
        #expect(MemoryLayout<RedisValue>.stride <= RESPParser.elementCost)
    }

    @Test func `refuses empty attributes without end`() throws {
        var parser = RESPParser(maximumSize: 4096)
        parser.append(ByteBuffer(string: String(repeating: "|0\r\n", count: 200)))
        #expect(throws: RESPParser.Violation.self) { try parser.next() }
    }

    @Test func `counts each reply for itself`() throws {
        var parser = RESPParser(maximumSize: 4096)
        let text = "$3000\r\n" + String(repeating: "a", count: 3000) + "\r\n"
        for _ in 1...3 {
            parser.append(ByteBuffer(string: text))
            #expect(try parser.next()?.bytes?.count == 3000)
        }
    }

    @Test func `refuses values that are nested too deep`() throws {
        var parser = RESPParser(maximumSize: 1 << 20)
        parser.append(ByteBuffer(string: String(repeating: "*1\r\n", count: 33)))
        #expect(throws: RESPParser.Violation.self) { try parser.next() }
    }

    @Test func `refuses a line without end`() throws {
        var parser = RESPParser(maximumSize: 1 << 20)
        let chunk = ByteBuffer(string: "+" + String(repeating: "a", count: 1023))
        for _ in 1...64 {
            parser.append(chunk)
            #expect(try parser.next() == nil)
        }
        parser.append(chunk)
        #expect(throws: RESPParser.Violation(message: "a line of more than 65536 bytes")) { try parser.next() }
    }

    @Test func `reads the largest reply in small pieces, in linear time`() throws {
        let size = 4 << 20
        var parser = RESPParser(maximumSize: size + 64)
        parser.append(ByteBuffer(string: "$\(size)\r\n"))
        let chunk = ByteBuffer(repeating: 97, count: 1024)
        for _ in 0..<(size / 1024) {
            #expect(try parser.next() == nil)
            parser.append(chunk)
        }
        parser.append(ByteBuffer(string: "\r\n+OK\r\n"))
        #expect(try parser.next()?.bytes?.count == size)
        #expect(try parser.next() == .simpleString("OK"))
    }
}
