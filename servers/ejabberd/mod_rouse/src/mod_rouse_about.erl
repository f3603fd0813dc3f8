%% What `rouse check` wants to know of the server (docs/events.md, "About").
-module(mod_rouse_about).

-export([element/2]).

-include("xmpp.hrl").
-include("mod_rouse.hrl").

beside() -> [push, push_keepalive, stream_mgmt, client_state, mam, offline, carboncopy].

element(Host, #{waiting := Waiting, taken := Taken, away := Away, fallback := Fallback}) ->
    Attrs = [{<<"xmlns">>, ?NS_ROUSE}, {<<"module">>, <<"1">>}, {<<"software">>, <<"ejabberd">>}, {<<"version">>, ejabberd_option:version()},
	     {<<"t">>, integer_to_binary(erlang:system_time(millisecond))}, {<<"waiting">>, integer_to_binary(Waiting)},
	     {<<"taken">>, if is_integer(Taken) -> integer_to_binary(Taken); true -> undefined end},
	     {<<"node">>, mod_rouse_nodes:name()}, {<<"away">>, if Away -> <<"true">>; true -> undefined end}],
    Beside = [#xmlel{name = <<"beside">>, attrs = [{<<"name">>, atom_to_binary(Name, latin1)}]}
	      || Name <- beside(), gen_mod:is_loaded(Host, list_to_atom("mod_" ++ atom_to_list(Name)))],
    Settings = [#xmlel{name = <<"setting">>, attrs = [{<<"name">>, Name}, {<<"value">>, seconds(Value)}]}
		|| {Name, Value} <- [{<<"ack-delay">>, mod_rouse:ack_delay(Host)}, {<<"fallback">>, Fallback} | of_stream_mgmt(Host)],
		   is_integer(Value)],
    #xmlel{name = <<"about">>, attrs = mod_rouse_queue:clean(Attrs),
	   children = Beside ++ Settings ++ [#xmlel{name = <<"setting">>, attrs = [{<<"name">>, <<"conflict">>}, {<<"value">>, <<"kick_old">>}]}]}.

%% ejabberd looks whether a silent client is there only where mod_ping is told to.
of_stream_mgmt(Host) ->
    Ping = case gen_mod:is_loaded(Host, mod_ping) andalso mod_ping_opt:send_pings(Host) of
	       true -> [{<<"read-timeout">>, mod_ping_opt:ping_interval(Host)}];
	       false -> []
	   end,
    case gen_mod:is_loaded(Host, mod_stream_mgmt) of
	true -> [{<<"ack-timeout">>, mod_stream_mgmt_opt:ack_timeout(Host)}, {<<"resume-timeout">>, mod_stream_mgmt_opt:resume_timeout(Host)} | Ping];
	false -> Ping
    end.

seconds(Milliseconds) when Milliseconds rem 1000 == 0 -> integer_to_binary(Milliseconds div 1000);
seconds(Milliseconds) -> float_to_binary(Milliseconds / 1000, [{decimals, 3}]).
