%% Events that rouse does not take within a second lie in files beside ejabberd's own, 100 in each, until it does.
%% Everything here is called by the queue's process.
-module(mod_rouse_saved).

-export([open/1, epoch/2, load/1, save/3, gone/2]).

-include("logger.hrl").
-include("mod_rouse.hrl").

-define(SIZE, 100). % events in a file; only the newest file is ever written again

-record(saved, {dir :: file:filename(),
		counts = #{} :: #{pos_integer() => pos_integer()}, % how many events of a file are still in the queue
		id = 1 :: pos_integer(),                           % of the newest file
		newest = [] :: [pos_integer()],                    % places in the queue of what is in it, the newest first
		upto = 0 :: non_neg_integer()}).                   % the last place that is saved

open(Host) ->
    Dir = filename:join([mnesia:system_info(directory), "rouse", binary_to_list(Host)]),
    case filelib:ensure_dir(filename:join(Dir, "x")) of
	ok -> ok;
	{error, Why} -> failed("make", Dir, Why)
    end,
    #saved{dir = Dir}.

%% A number that is greater than at every earlier start, also when the clock went back.
epoch(#saved{dir = Dir}, Time) ->
    File = filename:join(Dir, "epoch"),
    Last = try {ok, B} = file:read_file(File), binary_to_integer(string:trim(B)) catch _:_ -> 0 end,
    Epoch = integer_to_binary(max(Time, Last + 1)),
    write(File, Epoch),
    Epoch.

%% What an earlier run left behind, the oldest first. It takes the places from 1 on.
load(#saved{dir = Dir} = S) ->
    [file:delete(filename:join(Dir, Half)) || Half <- filelib:wildcard("*.new", Dir)], % that a crash left
    IDs = lists:sort([ID || "q." ++ Digits <- filelib:wildcard("q.*", Dir), {ID, ""} <- [string:to_integer(Digits)]]),
    {Events, S1} =
	lists:foldl(fun(ID, {All, Acc}) ->
			    case read(file(Acc, ID)) of
				[] -> remove(Acc, ID), {All, Acc#saved{id = ID + 1}};
				Some ->
				    Marked = [E#event{chunk = ID, tried = true} || E <- Some],
				    {All ++ Marked, Acc#saved{id = ID + 1, counts = maps:put(ID, length(Some), Acc#saved.counts)}}
			    end
		    end, {[], S}, IDs),
    {Events, S1#saved{upto = length(Events)}}.

read(File) ->
    try
	{ok, B} = file:read_file(File),
	[#event{name = N, attrs = A, children = C, epoch = E} || {N, A, C, E} <- binary_to_term(B)]
    catch _:Why ->
	    ?ERROR_MSG("mod_rouse: cannot read ~ts, its events are lost: ~p", [File, Why]),
	    []
    end.

%% Saves every event of the queue (place => event) that is not saved yet. Gives the queue with the events' files noted.
save(#saved{upto = Upto} = S, Queue, Tail) when Upto >= Tail -> {S, Queue};
save(#saved{upto = Upto} = S, Queue, Tail) ->
    Places = [I || I <- lists:seq(Upto + 1, Tail), maps:is_key(I, Queue)],
    {S1, Queue1} = lists:foldl(fun add/2, {S, Queue}, Places),
    if S1#saved.newest /= [] -> write_newest(S1, Queue1);
       true -> ok
    end,
    {S1#saved{upto = Tail}, Queue1}.

add(I, {#saved{id = ID, newest = Newest, counts = Counts} = S, Queue}) ->
    Queue1 = maps:update_with(I, fun(E) -> E#event{chunk = ID} end, Queue),
    S1 = S#saved{newest = [I | Newest], counts = maps:update_with(ID, fun(N) -> N + 1 end, 1, Counts)},
    if length(Newest) + 1 >= ?SIZE ->
	    write_newest(S1, Queue1),
	    {S1#saved{id = ID + 1, newest = []}, Queue1};
       true ->
	    {S1, Queue1}
    end.

write_newest(#saved{id = ID, newest = Newest} = S, Queue) ->
    Events = [E || I <- lists:reverse(Newest), {ok, E} <- [maps:find(I, Queue)]],
    write(file(S, ID), term_to_binary([{E#event.name, E#event.attrs, E#event.children, E#event.epoch} || E <- Events])).

%% An event has left the queue.
gone(S, #event{chunk = undefined}) -> S;
gone(#saved{counts = Counts, id = Newest} = S, #event{chunk = ID}) ->
    case maps:get(ID, Counts, 1) of
	1 ->
	    remove(S, ID),
	    S1 = S#saved{counts = maps:remove(ID, Counts)},
	    if ID == Newest -> S1#saved{id = ID + 1, newest = []};
	       true -> S1
	    end;
	N ->
	    S#saved{counts = Counts#{ID => N - 1}}
    end.

file(#saved{dir = Dir}, ID) -> filename:join(Dir, "q." ++ integer_to_list(ID)).

remove(S, ID) ->
    case file:delete(file(S, ID)) of
	ok -> ok;
	{error, enoent} -> ok;
	{error, Why} -> failed("remove", file(S, ID), Why)
    end.

%% The old file or the new one, never half of one.
write(File, Bytes) ->
    New = File ++ ".new",
    case file:write_file(New, Bytes) of
	ok ->
	    case file:rename(New, File) of
		ok -> ok;
		{error, Why} -> failed("write", File, Why)
	    end;
	{error, Why} -> failed("write", File, Why)
    end.

failed(What, File, Why) ->
    ?ERROR_MSG("mod_rouse: cannot ~s ~ts, a restart may lose events for rouse: ~ts", [What, File, file:format_error(Why)]).
