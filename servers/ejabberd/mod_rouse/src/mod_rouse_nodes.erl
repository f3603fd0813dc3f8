%% The cluster. Each node has a queue of its own, with its own epoch, and reports the sessions that it has (docs/events.md).
%% rouse's component is connected to one of them, and what it asks comes in there.
-module(mod_rouse_nodes).

-export([name/0, others/0, find/1, gone/0, watch/0, sender/3]).

%% What rouse knows this node by; undefined where Erlang runs without a name, alone.
name() -> name(node()).

name(nonode@nohost) -> undefined;
name(Node) -> atom_to_binary(Node, utf8).

%% The other nodes that run.
others() -> ejabberd_cluster:get_nodes() -- [node()].

find(Name) -> [Node || Node <- [node() | others()], name(Node) == Name].

%% The names of those that do not run, as far as is known.
gone() -> [name(Node) || Node <- ejabberd_cluster:get_known_nodes() -- [node() | others()]].

%% Has the process that calls be told of nodes that go ({nodedown, Node}).
watch() ->
    case node() of
	nonode@nohost -> ok;
	_ -> net_kernel:monitor_nodes(true)
    end.

%% Who wrote last to the user, as far as any node knows.
sender(Host, User, Class) ->
    Known = [mod_rouse_table:sender(Host, User, Class)
	     | [ejabberd_cluster:call(Node, mod_rouse_table, sender, [Host, User, Class]) || Node <- others()]],
    case lists:reverse(lists:sort([{At, Sender} || {At, Sender} <- Known, is_integer(At)])) of
	[{_, Sender} | _] -> Sender;
	[] -> undefined
    end.
