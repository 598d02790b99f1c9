import Foundation
import TestSupport
import Testing

/// Erlang's own `ssl`, at the other end of a connection: what the classic interface comes from, some twenty years later.
///
/// The script plays a server, which sends everything back that it has compared with what was to come, or a client, which sends
/// and compares what comes back. Both ends show certificates and verify the other's.
struct ErlangPeer {
    enum Role: String { case server, client }

    struct Options {
        let packet: Int
        let isActive: Bool
        let sizes: [Int]
    }

    let program: RunningProgram

    /// Starts it. `port` is our server's; an Erlang server says its own (`port()`).
    init(_ role: Role, _ options: Options, _ site: Site, port: Int = 0) throws {
        let escript = try #require(Self.escript)
        let script = try site.folder.write(Self.script, to: "peer.escript")
        let files = role == .server ? site.server : site.client
        self.program = try RunningProgram(
            escript,
            [
                script, role.rawValue, "\(options.packet)", "\(options.isActive)", files.chain, files.key, site.authority,
                "\(port)",
                options.sizes.map { "\($0)" }.joined(separator: ","),
            ])
    }

    /// Where its server listens.
    func port() async throws -> Int {
        if let port = await self.program.line(behind: "ACCEPT 127.0.0.1:").flatMap({ Int($0) }) { return port }
        throw ProgramFailure(description: "Erlang did not listen: \(await self.program.outcome())")
    }

    static var isInstalled: Bool { self.escript != nil }

    private static let escript: Program? = {
        guard let program = Program("escript"), let folder = try? TemporaryDirectory(),
            let probe = try? folder.write(
                "#!/usr/bin/env escript\nmain(_) -> {ok, _} = application:ensure_all_started(ssl), ok.\n", to: "probe.escript"),
            (try? program.run([probe]).status) == 0
        else { return nil }
        return program
    }()

    /// What is sent for a length; the script's `pattern/1`.
    static func pattern(_ length: Int) -> [UInt8] {
        let block = (0..<251).map { UInt8(($0 + length) % 251) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length + block.count)
        while bytes.count < length { bytes += block }
        return Array(bytes[..<length])
    }

    private static let script = """
        #!/usr/bin/env escript
        -mode(compile).

        main([Role, Packet, Active, Chain, Key, Authority, Port, Sizes]) ->
            {ok, _} = application:ensure_all_started(ssl),
            Options = [binary, {packet, list_to_integer(Packet)}, {active, list_to_atom(Active)}, {certfile, Chain},
                       {keyfile, Key}, {cacertfile, Authority}, {verify, verify_peer}, {depth, 3}],
            Lengths = [list_to_integer(Size) || Size <- string:tokens(Sizes, ",")],
            Play = {list_to_integer(Packet), list_to_atom(Active)},
            case Role of
                "server" -> serve(Options, Play, Lengths);
                "client" -> connect(list_to_integer(Port), Options, Play, Lengths)
            end,
            io:format("DONE~n").

        serve(Options, Play, Lengths) ->
            {ok, Listener} = ssl:listen(0, [{ip, {127,0,0,1}}, {fail_if_no_peer_cert, true} | Options]),
            {ok, {_, Port}} = ssl:sockname(Listener),
            io:format("ACCEPT 127.0.0.1:~w~n", [Port]),
            {ok, Accepted} = ssl:transport_accept(Listener),
            {ok, Socket} = ssl:handshake(Accepted),
            [begin
                 Bytes = take(Socket, Play, Length),
                 ok = ssl:send(Socket, Bytes)
             end || Length <- Lengths],
            ended(Socket, Play).

        connect(Port, Options, Play, Lengths) ->
            {ok, Socket} = ssl:connect({127,0,0,1}, Port, [{server_name_indication, "localhost"} | Options]),
            [begin
                 ok = ssl:send(Socket, pattern(Length)),
                 take(Socket, Play, Length)
             end || Length <- Lengths],
            ok = ssl:close(Socket).

        %% What came for a length, byte for byte what was to come.
        take(Socket, {Packet, _} = Play, Length) ->
            Bytes = if Packet =:= 0 -> gather(Socket, Play, Length, <<>>); true -> next(Socket, Play) end,
            case pattern(Length) of
                Bytes -> Bytes;
                _ -> io:format("DIFFERENT: ~w bytes for ~w~n", [byte_size(Bytes), Length]), halt(3)
            end.

        gather(_, _, Length, Bytes) when byte_size(Bytes) >= Length -> Bytes;
        gather(Socket, Play, Length, Bytes) ->
            More = next(Socket, Play),
            gather(Socket, Play, Length, <<Bytes/binary, More/binary>>).

        next(Socket, {_, false}) -> {ok, Bytes} = ssl:recv(Socket, 0, 30000), Bytes;
        next(_, {_, true}) ->
            receive {ssl, _, Bytes} -> Bytes; Other -> io:format("~p~n", [Other]), halt(4)
            after 30000 -> io:format("nothing came~n"), halt(5)
            end.

        ended(Socket, {_, false}) -> {error, closed} = ssl:recv(Socket, 0, 30000);
        ended(_, {_, true}) -> receive {ssl_closed, _} -> ok after 30000 -> io:format("no end~n"), halt(6) end.

        pattern(Length) ->
            Block = list_to_binary([(I + Length) rem 251 || I <- lists:seq(0, 250)]),
            binary:part(binary:copy(Block, Length div 251 + 1), 0, Length).
        """
}
