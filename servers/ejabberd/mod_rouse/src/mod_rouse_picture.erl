%% The picture: all registrations and sessions. Each session's process is asked for its row; the rows of an account come
%% together, those of its registrations first.
-module(mod_rouse_picture).

-export([wanted/0, is_due/1, take/4, row/4, gone/3]).

-include("xmpp.hrl").
-include("ejabberd_sm.hrl").
-include("logger.hrl").
-include("mod_rouse.hrl").

-define(AT_ONCE, 20). % accounts that are asked at a time
-define(PATIENCE, 30000).

-record(picture, {begun = false :: boolean(),
		  todo = [] :: [{binary(), [pid()]}],
		  asked = #{} :: #{binary() => {[{pid(), reference()}], [term()], integer()}}, % who has not answered, rows, since when
		  ready = [] :: [#event{}],
		  behind :: undefined | non_neg_integer()}). % the place in the queue that its next edge comes behind

%% A picture that has not begun.
wanted() -> #picture{}.

%% Whether there are rows to take now, if the queue is empty.
is_due(undefined) -> false;
is_due(#picture{begun = Begun, ready = Ready} = P) -> not Begun orelse Ready /= [] orelse is_complete(P).

is_complete(#picture{todo = Todo, asked = Asked, ready = Ready}) -> Todo == [] andalso Asked == #{} andalso Ready == [].

%% The next row, or none; and the picture, undefined after its end. First and Tail are places in the queue: of what is to be
%% sent next, and of what came last.
%%
%% What was reported before the picture is told before it begins, and what was reported while it was made before it ends:
%% else its end would end a session whose last words are still in the queue.
take(Host, First, Tail, #picture{begun = Begun, behind = undefined} = P) ->
    case not Begun orelse is_complete(P) of
	true -> take(Host, First, Tail, P#picture{behind = Tail});
	false -> next(Host, P)
    end;
take(_, First, _, #picture{behind = Behind} = P) when First =< Behind -> {none, P};
take(Host, _, _, #picture{begun = false} = P) ->
    %% Who comes after this moment is reported after <begin/>.
    {row(<<"begin">>, [], []), ask(Host, P#picture{begun = true, behind = undefined, todo = everybody(Host)})};
take(_, _, _, _) -> {row(<<"end">>, [], []), undefined}.

next(Host, #picture{ready = [Row | Rest]} = P) ->
    {Row, ask(Host, P#picture{ready = Rest})};
next(_, #picture{asked = Asked} = P) ->
    Now = erlang:monotonic_time(millisecond),
    case [User || {User, {_, _, Since}} <- maps:to_list(Asked), Now - Since > ?PATIENCE] of
	[] -> {none, P};
	[User | _] ->
	    %% rouse asks again when it sees no end. One that leaves a session out would end it.
	    ?ERROR_MSG("mod_rouse: the picture breaks off: no answer from a session of ~ts", [User]),
	    {none, undefined}
    end.

everybody(Host) ->
    Sessions = [{User, Pid} || #session{us = {User, H}, sid = {_, Pid}} <- ejabberd_sm:dirty_get_my_sessions_list(), H == Host],
    Pids = lists:foldl(fun({User, Pid}, Acc) -> maps:update_with(User, fun(L) -> [Pid | L] end, [Pid], Acc) end, #{}, Sessions),
    maps:to_list(maps:merge(maps:from_keys(mod_rouse_push:users(Host), []), Pids)).

%% Asks the next accounts. The ones without sessions are ready at once.
ask(Host, #picture{todo = [{User, Pids} | Todo], asked = Asked, ready = Ready} = P)
  when map_size(Asked) < ?AT_ONCE, length(Ready) < 5 * ?AT_ONCE ->
    P1 = P#picture{todo = Todo, asked = Asked#{User => {ask_each(Host, User, Pids), [], erlang:monotonic_time(millisecond)}}},
    ask(Host, settle(Host, User, P1));
ask(_, P) -> P.

ask_each(Host, User, Pids) ->
    [begin
	 Ref = erlang:monitor(process, Pid),
	 Pid ! {rouse, {row, {Host, User, Pid}}},
	 {Pid, Ref}
     end || Pid <- Pids].

%% A session has answered; N is the number that its row carries.
row(_, _, _, undefined) -> undefined;
row({Host, User, Pid}, {Sid, PushID, Attrs, Children}, N, P) ->
    answered(Host, User, Pid, [{Pid, Sid, PushID, [{<<"user">>, User}, {<<"sid">>, Sid}, {<<"n">>, N} | Attrs], Children}], P).

%% A session is gone, perhaps because another process has resumed it.
gone(_, _, undefined) -> undefined;
gone(Host, Pid, #picture{asked = Asked} = P) ->
    case [User || {User, {Waiting, _, _}} <- maps:to_list(Asked), lists:keymember(Pid, 1, Waiting)] of
	[User | _] ->
	    {Waiting, Rows, Since} = maps:get(User, Asked),
	    Known = [Known || {Known, _} <- Waiting] ++ [Known || {Known, _, _, _, _} <- Rows],
	    Fresh = [New || {_, New} <- ejabberd_sm:get_session_sids(User, Host), node(New) == node(), not lists:member(New, Known)],
	    P1 = P#picture{asked = Asked#{User => {Waiting ++ ask_each(Host, User, Fresh), Rows, Since}}},
	    answered(Host, User, Pid, [], P1);
	[] -> P
    end.

answered(Host, User, Pid, More, #picture{asked = Asked} = P) ->
    {Waiting, Rows, Since} = maps:get(User, Asked, {[], [], 0}),
    case lists:keytake(Pid, 1, Waiting) of
	{value, {_, Ref}, Rest} ->
	    erlang:demonitor(Ref, [flush]),
	    ask(Host, settle(Host, User, P#picture{asked = Asked#{User => {Rest, More ++ Rows, Since}}}));
	false -> P
    end.

%% Everybody of the account has answered. Its registrations are read now: a row of a session never says that a report was
%% applied which the row of its registration has not seen.
settle(Host, User, #picture{asked = Asked, ready = Ready} = P) ->
    case Asked of
	#{User := {[], Rows, _}} ->
	    Owners = maps:from_list([{PushID, Sid} || {_, Sid, PushID, _, _} <- Rows, PushID /= undefined]),
	    Endpoints = [row(<<"endpoint">>, [{<<"user">>, User}, {<<"sid">>, maps:get(ID, Owners, undefined)}, {<<"since">>, since(ID)} | Attrs], [])
			 || {ID, Attrs} <- mod_rouse_push:registered(Host, User)],
	    Sessions = [row(<<"session">>, Attrs, Children) || {_, _, _, Attrs, Children} <- Rows],
	    P#picture{asked = maps:remove(User, Asked), ready = Ready ++ Endpoints ++ Sessions};
	_ -> P
    end.

%% mod_push's id of a registration is the time of it.
since({Mega, S, Micro}) -> integer_to_binary((Mega * 1000000 + S) * 1000 + Micro div 1000);
since(_) -> undefined.

row(Name, Attrs, Children) ->
    #event{name = Name, attrs = [{<<"t">>, integer_to_binary(erlang:system_time(millisecond))} | mod_rouse_queue:clean(Attrs)],
	   children = Children}.
