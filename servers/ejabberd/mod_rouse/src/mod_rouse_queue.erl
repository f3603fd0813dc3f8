%% The way of events to rouse: a bounded queue, one batch on its way at a time, repeated until it is taken. The same
%% process keeps the domain while rouse is away and mod_push's triggers out while rouse takes events.
-module(mod_rouse_queue).

-ifndef(GEN_SERVER).
-define(GEN_SERVER, gen_server).
-endif.
-behaviour(?GEN_SERVER).

-export([start/2, stop/1, reload/2, report/6, track/4, row/2, published/7, publish_failed/2, hello/1, picture/2, woken/3, publish/4, how_it_stands/1,
	 route_up/1, route_down/1, clean/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2, code_change/3]).

-include("logger.hrl").
-include("xmpp.hrl").
-include("ejabberd_sm.hrl").
-include("mod_rouse.hrl").

-import(mod_rouse, [guard/3]).

-define(RETRY_MIN, 500).
-define(RETRY_MAX, 10000).
-define(TICK, 1000).
-define(MAX_VALUE, 4096).           % bytes of an attribute; clients choose nodes and resources
-define(MAX_BATCH, 200 * 1024).     % bytes, about; rouse takes 512 KiB
-define(MAX_PUBLISHES, 200).        % under way
-define(PUBLISH_TIMEOUT, 90000).    % a connection to another server may take most of it

-record(batch, {seq :: pos_integer(), live = [] :: [pos_integer()], rows = [] :: [#event{}]}).

-record(state, {host, component, epoch, options,
		queue = #{} :: #{pos_integer() => #event{}}, % by place
		head = 1, tail = 0,                          % places
		n = 0,                                       % counts the events of this epoch
		seq = 0, batch, way,                         % way: the batch is on its way
		hello = true,   % a batch goes out even if nothing happened, so that rouse sees epoch and seq
		gap = false,    % events were dropped: rouse must see that
		delay = ?RETRY_MIN, retry,
		waiting_since,  % since when something waits for being taken: events, or rouse itself for having a link
		taken,          % when a batch was last taken, by the server's clock
		silenced = false,
		link = unknown :: unknown | up | held, % held: we stand in for rouse
		picture, publishing = 0,
		published = #{} :: #{binary() => {binary(), binary(), binary(), integer()}}, % mod_push's, whose answer is not here
		sessions = #{} :: #{pid() => {reference(), binary(), binary()}},
		saved}).

%% --- Called from other processes.

start(Host, Opts) ->
    Proc = mod_rouse_table:name(Host),
    Spec = {Proc, {?GEN_SERVER, start_link, [{local, Proc}, ?MODULE, [Host, Opts], []]}, transient, timer:minutes(1), worker, [?MODULE]},
    supervisor:start_child(ejabberd_gen_mod_sup, Spec).

stop(Host) -> gen_mod:stop_child(mod_rouse_table:name(Host)).

reload(Host, Opts) -> cast(Host, {reload, Opts}).

report(Host, Name, User, Sid, Attrs, Children) ->
    [mod_rouse_table:unread(Host, User, proplists:get_value(<<"chat">>, A)) || A <- [Attrs | [A || {_, A} <- Children]], lists:keymember(<<"class">>, 1, A)],
    T = integer_to_binary(erlang:system_time(millisecond)),
    cast(Host, {report, User, Sid, #event{name = Name, attrs = clean([{<<"user">>, User}, {<<"sid">>, Sid}, {<<"t">>, T} | Attrs]),
					  children = Children}}).

track(Host, User, Sid, Pid) -> cast(Host, {track, User, Sid, Pid}).

row({Host, _, _} = Whose, Row) -> cast(Host, {row, Whose, Row}).

published(Host, ID, User, Sid, Service, Node, About) -> cast(Host, {published, ID, User, Sid, Service, Node, About}).

publish_failed(Host, ID) -> cast(Host, {publish_failed, ID}).

hello(Host) -> cast(Host, hello).

picture(Host, Nodes) -> cast(Host, Nodes, picture).

%% A session may be on any node.
woken(Host, User, Sid) ->
    mod_rouse_table:woken(Host, User, Sid) orelse cast(Host, mod_rouse_nodes:others(), {woken, User, Sid}).

publish(Host, Wake, User, IQ) -> ?GEN_SERVER:call(mod_rouse_table:name(Host), {publish, Wake, User, IQ}).

%% How many events wait, when a batch was last taken, and whether mod_push does the work.
how_it_stands(Host) -> ?GEN_SERVER:call(mod_rouse_table:name(Host), how_it_stands).

%% The domain has got, or lost, somebody who serves it. The process that waits is the component's, so that nothing slips in
%% between. ejabberd's router must not wait for us, for we may be waiting for it; and what we do ourselves we know. The
%% other nodes would see it a second later, or not at all if it was short.
route_up(Domain) -> tell(Domain, route_up).
route_down(Domain) -> tell(Domain, route_down).

tell(Domain, What) ->
    Proc = case get(?MODULE) of
	       true -> [];
	       undefined -> [mod_rouse_table:name(Host) || Host <- ejabberd_option:hosts(), mod_rouse:component(Host) == Domain]
	   end,
    guard(What, ok, fun() -> [?GEN_SERVER:cast({P, Node}, What) || P <- Proc, Node <- mod_rouse_nodes:others()] end),
    [guard(What, ok,
	   fun() ->
		   case self() == whereis(ejabberd_router) of
		       true -> ?GEN_SERVER:cast(P, What);
		       false -> ?GEN_SERVER:call(P, What, 2000)
		   end
	   end) || P <- Proc, whereis(P) /= undefined],
    ok.

%% Only attributes that have a value.
clean(Attrs) -> [A || {_, V} = A <- Attrs, V /= undefined, V /= <<>>].

cast(Host, Msg) -> ?GEN_SERVER:cast(mod_rouse_table:name(Host), Msg).

cast(Host, Nodes, Msg) ->
    [?GEN_SERVER:cast({mod_rouse_table:name(Host), Node}, Msg) || Node <- Nodes],
    ok.

%% --- The process. No error of ours may end it: ejabberd_gen_mod_sup would take the whole node down.

init([Host, Opts]) ->
    process_flag(trap_exit, true),
    put(?MODULE, true),
    Again = persistent_term:get({mod_rouse, Host}, false), % the last one did not end in peace
    persistent_term:put({mod_rouse, Host}, true),
    try
	mod_rouse_table:new(Host),
	Component = mod_rouse:component(Host, Opts),
	mod_rouse_table:note(Host, component, Component),
	mod_rouse_push:restore(Host),
	Saved = mod_rouse_saved:open(Host),
	Epoch = mod_rouse_saved:epoch(Saved, erlang:system_time(millisecond)),
	{Events, Saved1} = mod_rouse_saved:load(Saved),
	At = now_ms(),
	S = #state{host = Host, component = Component, epoch = Epoch, options = Opts, saved = Saved1,
		   queue = maps:from_list(lists:enumerate([E#event{at = At} || E <- Events])), tail = length(Events), waiting_since = now_ms()},
	mod_rouse_nodes:watch(),
	[left(Host, Name) || Name <- mod_rouse_nodes:gone()],
	erlang:send_after(?TICK, self(), tick),
	self() ! start,
	if Again -> self() ! {'$gen_cast', hello}; % mod_push goes on until rouse has taken something
	   true -> mod_rouse_push:silence(Host)
	end,
	{ok, S#state{silenced = not Again}}
    catch Class:Reason:Stack ->
	    ?CRITICAL_MSG("mod_rouse: cannot run on ~ts, mod_push does its work alone: ~p:~p ~p", [Host, Class, Reason, Stack]),
	    ignore
    end.

handle_call(Msg, From, S) ->
    case guard(call, {error, S}, fun() -> call(Msg, From, S) end) of
	{error, S1} -> {reply, error, S1};
	{Reply, S1} -> {reply, Reply, pumped(S1)}
    end.

handle_cast(Msg, S) -> {noreply, pumped(guard(cast, S, fun() -> told(Msg, S) end))}.

handle_info(Msg, S) -> {noreply, pumped(guard(info, S, fun() -> came(Msg, S) end))}.

pumped(S) -> guard(sending, S, fun() -> pump(S) end).

terminate(_Reason, #state{host = Host, component = Component, link = Link} = S) ->
    guard(stop, ok, fun() -> save(S) end),
    guard(stop, ok, fun() -> mod_rouse_push:restore(Host) end),
    guard(stop, ok, fun() -> Link == held andalso mod_rouse_hold:release(Component) end),
    persistent_term:erase({mod_rouse, Host}),
    ok.

code_change(_, S, _) -> {ok, S}.

call(route_up, _, S) -> {ok, connected(S)};
call(route_down, _, S) -> {ok, watch_route(S)};
call(how_it_stands, _, #state{queue = Queue, taken = Taken, silenced = Silenced, options = Opts} = S) ->
    {#{waiting => map_size(Queue), taken => Taken, away => not Silenced, fallback => maps:get(fallback, Opts)}, S};
call({publish, _, _, _}, _, #state{publishing = N} = S) when N >= ?MAX_PUBLISHES ->
    {{wait, 'resource-constraint'}, S};
call({publish, Wake, User, IQ}, _, #state{publishing = N} = S) ->
    ejabberd_router:route_iq(IQ, {publish, Wake, User}, self(), ?PUBLISH_TIMEOUT),
    {ok, S#state{publishing = N + 1}}.

told({report, User, Sid, Event}, S) -> numbered(User, Sid, Event, S);
told({track, User, Sid, Pid}, #state{host = Host, sessions = Sessions} = S) ->
    mod_rouse_table:session(Host, User, Sid, Pid),
    case Sessions of
	#{Pid := _} -> S;
	_ -> S#state{sessions = Sessions#{Pid => {erlang:monitor(process, Pid), User, Sid}}}
    end;
told({row, Whose, gone}, #state{host = Host, picture = P} = S) ->
    {_, _, Pid} = Whose,
    S#state{picture = mod_rouse_picture:gone(Host, Pid, P)};
told({row, Whose, Row}, #state{n = N, picture = P} = S) ->
    S1 = S#state{n = N + 1, picture = undefined}, % where this goes wrong the picture breaks off, and rouse asks again
    try S1#state{picture = mod_rouse_picture:row(Whose, Row, integer_to_binary(N + 1), P)}
    catch Class:Reason:Stack -> mod_rouse:failed(picture, Class, Reason, Stack), S1
    end;
told(picture, S) -> S#state{picture = mod_rouse_picture:wanted()};
told({woken, User, Sid}, #state{host = Host} = S) ->
    mod_rouse_table:woken(Host, User, Sid),
    S;
told(hello, #state{host = Host} = S) ->
    [Pid ! {rouse, hello} || #session{us = {_, H}, sid = {_, Pid}} <- ejabberd_sm:dirty_get_my_sessions_list(), H == Host],
    S;
told({published, ID, User, Sid, Service, Node, About}, #state{published = Published} = S) ->
    Expires = now_ms() + 60000,
    S1 = S#state{published = Published#{ID => {User, Service, Node, Expires}}},
    lists:foldl(fun({Class, Key, Out}, Acc) -> published(Class, Key, Out, User, Sid, Service, Node, Acc) end, S1, About);
told({publish_failed, ID}, #state{published = Published} = S) ->
    case maps:take(ID, Published) of
	{Publish, Rest} ->
	    erlang:send_after(500, self(), {is_it_gone, Publish}), % mod_push removes in a process of its own
	    S#state{published = Rest};
	error -> S
    end;
told(route_up, S) -> connected(S);
told(route_down, S) -> watch_route(S);
told({reload, Opts}, S) -> S#state{options = Opts};
told(_, S) -> S.

came({iq_reply, Reply, {batch, Way}}, #state{way = Way} = S) when Way /= undefined ->
    answered(Reply, S#state{way = undefined});
came({iq_reply, Reply, {publish, Wake, User}}, #state{publishing = N} = S) ->
    Error = case Reply of
		#iq{type = result} -> [];
		#iq{} ->
		    {Type, Condition} = error_of(Reply),
		    [{<<"error">>, Condition}, {<<"error-type">>, Type}];
		timeout -> [{<<"error">>, <<"remote-server-timeout">>}, {<<"error-type">>, <<"wait">>}]
	    end,
    report(S#state.host, <<"answered">>, User, undefined, [{<<"wake">>, Wake} | Error], []),
    S#state{publishing = N - 1};
came(again, S) -> S#state{retry = undefined};
came(tick, #state{host = Host, published = Published} = S) ->
    erlang:send_after(?TICK, self(), tick),
    mod_rouse_table:tidy(Host),
    Now = now_ms(),
    S1 = S#state{published = maps:filter(fun(_, {_, _, _, Expires}) -> Expires > Now end, Published)},
    fallback(watch_route(save(S1)));
came(start, S) -> watch_route(S);
came({'DOWN', _, process, Pid, Why}, #state{host = Host, sessions = Sessions, picture = P} = S) ->
    S1 = S#state{picture = mod_rouse_picture:gone(Host, Pid, P)},
    case maps:take(Pid, Sessions) of
	{{_, User, Sid}, Rest} ->
	    case mod_rouse_table:is_of(Host, User, Sid, Pid) of
		true -> % it was killed, and could not say so
		    Reason = iolist_to_binary(io_lib:format("~0P", [Why, 8])),
		    report(Host, <<"ended">>, User, Sid, [{<<"reason">>, Reason}], []);
		false -> ok % resumed by another process, or ended
	    end,
	    S1#state{sessions = Rest};
	error -> S1
    end;
came({is_it_gone, {User, Service, Node, _}}, #state{host = Host} = S) ->
    is_registered(Host, User, Service, Node) orelse
	report(Host, <<"disable">>, User, undefined, [{<<"service">>, Service}, {<<"node">>, Node}], []),
    S;
came({nodedown, Node}, #state{host = Host} = S) ->
    left(Host, atom_to_binary(Node, utf8)),
    S;
came({route, Packet}, S) -> % from another node
    mod_rouse_hold:route(Packet),
    S;
came(_, S) -> S.

%% Of a node that rouse has not heard of this says nothing to it.
left(Host, Name) -> report(Host, <<"left">>, undefined, undefined, [{<<"node">>, Name}], []).

%% --- What comes into the queue.

%% Numbers are given in the order in which events come in, so the ones of a session and of an account only grow.
numbered(User, Sid, #event{attrs = Attrs} = E, #state{host = Host, n = N} = S) ->
    case E#event.name of
	<<"ended">> when Sid /= undefined -> mod_rouse_table:forget(Host, User, Sid);
	_ -> ok
    end,
    add(E#event{attrs = [{<<"n">>, integer_to_binary(N + 1)} | Attrs], epoch = S#state.epoch, at = now_ms()}, S#state{n = N + 1}).

add(E, #state{queue = Queue, tail = Tail, options = Opts, waiting_since = Since} = S) ->
    case size_of(E) of
	{_, true} ->
	    ?WARNING_MSG("mod_rouse: leaving out an event (~ts) of ~ts: an attribute is longer than ~B bytes",
			 [E#event.name, attr(<<"user">>, E), ?MAX_VALUE]),
	    S;
	{_, false} ->
	    case map_size(Queue) >= maps:get(max_queue, Opts) of
		true -> add(E, make_room(S));
		false -> S#state{queue = Queue#{Tail + 1 => E}, tail = Tail + 1,
				 waiting_since = case Since of undefined -> now_ms(); _ -> Since end}
	    end
    end.

%% Makes room for a tenth of the queue: the oldest reports of single stanzas, then the oldest of all.
make_room(#state{queue = Queue, batch = Batch, options = Opts, saved = Saved} = S) ->
    Max = maps:get(max_queue, Opts),
    Live = case Batch of #batch{live = L} -> L; _ -> [] end,
    Places = lists:sort(maps:keys(maps:without(Live, Queue))),
    {Stanzas, Others} = lists:partition(fun(I) -> is_stanza_event(maps:get(I, Queue)) end, Places),
    Drop = lists:sublist(Stanzas ++ Others, max(1, Max div 10)),
    ?WARNING_MSG("mod_rouse: the queue for rouse is full (max_queue = ~B): ~B events are dropped", [Max, length(Drop)]),
    Saved1 = lists:foldl(fun(I, Acc) -> mod_rouse_saved:gone(Acc, maps:get(I, Queue)) end, Saved, Drop),
    S#state{queue = maps:without(Drop, Queue), saved = Saved1, gap = true}.

%% What is lost by dropping one of these is known again from the picture.
is_stanza_event(#event{name = Name}) ->
    lists:member(Name, [<<"late">>, <<"queued">>, <<"archived">>, <<"offline">>, <<"room">>, <<"subscribe">>, <<"call">>,
			<<"read">>, <<"taken">>, <<"retracted">>,
			<<"published">>, <<"answered">>]).

%% Bytes that an event takes, about; and whether it is longer than anything that is meant well: then it is left out.
size_of(#event{attrs = Attrs, children = Children}) ->
    lists:foldl(fun({K, V}, {Bytes, TooLong}) ->
			{Bytes + byte_size(K) + byte_size(V), TooLong orelse byte_size(V) > ?MAX_VALUE}
		end, {64, false}, Attrs ++ [A || {_, As} <- Children, A <- As]).

%% mod_push has published for a stanza. Every report about it that rouse cannot have seen says so; else a report of its own.
published(<<"nothing">>, _, _, _, _, _, _, S) -> S;
published(Class, Key, Out, User, Sid, Service, Node, #state{queue = Queue} = S) ->
    Since = now_ms() - 120000,
    Same = [I || Key /= undefined, {I, #event{at = At} = E} <- maps:to_list(Queue), At >= Since,
		 E#event.name /= <<"published">>, attr(<<"user">>, E) == User, attr(<<"key">>, E) == Key],
    Mark = {<<"published">>, [{<<"service">>, Service}, {<<"node">>, Node}]},
    Queue1 = lists:foldl(fun(I, Q) -> maps:update_with(I, fun(#event{children = C} = E) -> E#event{children = C ++ [Mark]} end, Q) end,
			 Queue, Same),
    case Same /= [] andalso not lists:any(fun(I) -> (maps:get(I, Queue))#event.tried end, Same) of
	true -> ok;
	false ->
	    report(S#state.host, <<"published">>, User, Sid,
		   [{<<"service">>, Service}, {<<"node">>, Node}, {<<"class">>, Class}, {<<"key">>, Key}, {<<"out">>, Out}], [])
    end,
    S#state{queue = Queue1}.

%% --- Batches.

pump(#state{way = Way} = S) when Way /= undefined -> S;
pump(#state{retry = Retry} = S) when Retry /= undefined -> S;
pump(#state{link = Link} = S) when Link /= up -> S;
pump(#state{batch = undefined, queue = Queue, hello = false, picture = P} = S) ->
    case map_size(Queue) > 0 orelse mod_rouse_picture:is_due(P) of
	true -> pump_built(build(S));
	false -> S
    end;
pump(#state{batch = undefined} = S) -> pump_built(build(S));
pump(S) -> send(S).

pump_built(#state{batch = undefined} = S) -> S;
pump_built(S) -> send(S).

%% A picture has half of each batch at least, else a busy server would never come to the end of it.
build(#state{queue = Queue, head = Head, tail = Tail, options = Opts, seq = Seq, gap = Gap, hello = Hello} = S) ->
    Max = maps:get(batch, Opts),
    Live = pick(Head, Tail, Queue, Max, ?MAX_BATCH div 2, []),
    {Rows, P} = rows(S, Max - min(length(Live), Max div 2), ?MAX_BATCH div 2, []),
    Live1 = lists:sublist(Live, max(0, Max - length(Rows))),
    S1 = S#state{picture = P, hello = false},
    case Live1 == [] andalso Rows == [] andalso not Hello of
	true -> S1;
	false ->
	    Next = Seq + (if Gap -> 2; true -> 1 end),
	    S1#state{seq = Next, gap = false, batch = #batch{seq = Next, live = Live1, rows = Rows}}
    end.

pick(I, Tail, _, Left, Room, Picked) when I > Tail; Left =< 0; Room =< 0 -> lists:reverse(Picked);
pick(I, Tail, Queue, Left, Room, Picked) ->
    case Queue of
	#{I := E} ->
	    {Bytes, _} = size_of(E),
	    pick(I + 1, Tail, Queue, Left - 1, Room - Bytes, [I | Picked]);
	_ -> pick(I + 1, Tail, Queue, Left, Room, Picked)
    end.

rows(#state{picture = undefined}, _, _, Rows) -> {lists:reverse(Rows), undefined};
rows(#state{picture = P}, Left, Room, Rows) when Left =< 0; Room =< 0 -> {lists:reverse(Rows), P};
rows(#state{host = Host, picture = P, queue = Queue, head = Head, tail = Tail} = S, Left, Room, Rows) ->
    First = case map_size(Queue) of 0 -> Tail + 1; _ -> Head end,
    case guard(picture, {none, undefined}, fun() -> mod_rouse_picture:take(Host, First, Tail, P) end) of
	{none, P1} -> {lists:reverse(Rows), P1};
	{Row, P1} ->
	    case size_of(Row) of
		{_, true} -> rows(S#state{picture = P1}, Left, Room, Rows);
		{Bytes, false} -> rows(S#state{picture = P1}, Left - 1, Room - Bytes, [Row | Rows])
	    end
    end.

send(#state{host = Host, component = Component, batch = Batch, epoch = Epoch, options = Opts, queue = Queue} = S) ->
    #batch{seq = Seq, live = Live, rows = Rows} = Batch,
    Events = [element_of(E, Epoch) || I <- Live, E <- [maps:get(I, Queue)], is_still_so(Host, E)] ++ [element_of(Row, Epoch) || Row <- Rows],
    El = #xmlel{name = <<"events">>, children = Events,
		attrs = clean([{<<"xmlns">>, ?NS_ROUSE}, {<<"node">>, mod_rouse_nodes:name()}, {<<"epoch">>, Epoch},
			       {<<"seq">>, integer_to_binary(Seq)}])},
    Way = make_ref(), % an answer that comes after the link went down is not ours any more
    IQ = #iq{type = set, from = jid:make(Host), to = jid:make(Component), sub_els = [El]},
    ejabberd_router:route_iq(IQ, {batch, Way}, self(), maps:get(answer_timeout, Opts)),
    S#state{way = Way}.

%% Registrations are common to all nodes, and another may have reported since what became of this one. What is not so any
%% more must not come after it.
is_still_so(Host, #event{name = Name} = E) when Name == <<"enable">>; Name == <<"disable">> ->
    guard(registrations, true,
	  fun() ->
		  mod_rouse_nodes:others() == [] orelse
		      (Name == <<"enable">>) == is_registered(Host, attr(<<"user">>, E), attr(<<"service">>, E), attr(<<"node">>, E))
	  end);
is_still_so(_, _) -> true.

is_registered(Host, User, Service, Node) ->
    lists:any(fun({_, Attrs}) -> lists:member({<<"service">>, Service}, Attrs) andalso lists:member({<<"node">>, Node}, Attrs) end,
	      mod_rouse_push:registered(Host, User)).

element_of(#event{name = Name, attrs = Attrs, children = Children, epoch = Own}, Epoch) ->
    Older = [{<<"epoch">>, Own} || Own /= undefined, Own /= Epoch],
    #xmlel{name = Name, attrs = Older ++ Attrs, children = [#xmlel{name = N, attrs = A} || {N, A} <- Children]}.

answered(#iq{type = result}, S) ->
    S1 = finish(S#state{delay = ?RETRY_MIN}),
    Since = case map_size(S1#state.queue) of 0 -> undefined; _ -> now_ms() end,
    S2 = S1#state{waiting_since = Since, taken = erlang:system_time(millisecond)},
    if S2#state.silenced -> S2;
       true -> silent(S2)
    end;
answered(timeout, S) -> refused(<<"wait">>, <<"no answer">>, S);
answered(#iq{} = IQ, S) ->
    {Type, Condition} = error_of(IQ),
    refused(Type, Condition, S).

refused(Type, Condition, #state{host = Host, batch = #batch{live = Live}} = S) when Type == <<"modify">>; Type == <<"auth">> ->
    ?ERROR_MSG("mod_rouse: rouse refuses events from ~ts (~ts): ~B are dropped; see component.hosts in rouse's configuration",
	       [Host, Condition, length(Live)]),
    finish(S);
refused(Type, Condition, #state{batch = #batch{seq = Seq, live = Live}, queue = Queue, delay = Delay} = S) ->
    ?INFO_MSG("mod_rouse: batch ~B was not taken (~ts), repeating it", [Seq, Condition]),
    Tried = lists:foldl(fun(I, Q) -> maps:update_with(I, fun(E) -> E#event{tried = true} end, Q) end, Queue, Live),
    {After, Next} = case Type of
			<<"cancel">> -> {?RETRY_MAX, Delay};
			_ -> {Delay, min(Delay * 2, ?RETRY_MAX)}
		    end,
    S#state{queue = Tried, delay = Next, retry = erlang:send_after(After, self(), again)}.

%% The batch on its way is done with, taken or not.
finish(#state{batch = #batch{live = Live}, queue = Queue, saved = Saved, head = Head} = S) ->
    Saved1 = lists:foldl(fun(I, Acc) -> mod_rouse_saved:gone(Acc, maps:get(I, Queue)) end, Saved, Live),
    S#state{batch = undefined, queue = maps:without(Live, Queue), saved = Saved1, head = lists:max([Head - 1 | Live]) + 1}.

error_of(IQ) ->
    case xmpp:get_error(IQ) of
	#stanza_error{type = Type, reason = Reason} ->
	    {atom_to_binary(Type, latin1), atom_to_binary(if is_tuple(Reason) -> element(1, Reason); true -> Reason end, latin1)};
	undefined -> {<<"wait">>, <<"undefined-condition">>}
    end.

save(#state{saved = Saved, queue = Queue, tail = Tail} = S) ->
    {Saved1, Queue1} = mod_rouse_saved:save(Saved, Queue, Tail),
    S#state{saved = Saved1, queue = Queue1}.

%% --- The link, and what the server does without it.

%% A batch that is on its way went to a connection that is not there any more.
connected(#state{component = Component, link = Link, retry = Retry} = S) ->
    Link == held andalso mod_rouse_hold:release(Component),
    is_reference(Retry) andalso erlang:cancel_timer(Retry),
    S#state{link = up, way = undefined, retry = undefined, delay = ?RETRY_MIN, hello = true}.

disconnected(#state{host = Host, component = Component, link = Link, way = Way, waiting_since = Since} = S) ->
    Link == held orelse mod_rouse_hold:hold(Component, Host),
    S1 = S#state{link = held, waiting_since = case Since of undefined -> now_ms(); _ -> Since end},
    if Way /= undefined -> refused(<<"wait">>, <<"the link went down">>, S1#state{way = undefined});
       true -> S1
    end.

%% What the hooks have not told: the state at the start, and components of other nodes.
watch_route(#state{component = Component, link = Link} = S) ->
    case mod_rouse_hold:is_connected(Component) of
	true when Link /= up -> connected(S);
	false when Link /= held -> disconnected(S);
	_ -> S
    end.

%% rouse takes nothing, and has not for so long that the server must help itself. Done again and again, for a reload of
%% the configuration may have put mod_push's triggers back.
fallback(#state{host = Host, waiting_since = Since, silenced = Silenced, options = Opts} = S) ->
    Away = Since /= undefined andalso now_ms() - Since > maps:get(fallback, Opts),
    if Away, Silenced ->
	    ?WARNING_MSG("mod_rouse: rouse has taken nothing for ~B s, mod_push does its work on ~ts", [maps:get(fallback, Opts) div 1000, Host]),
	    mod_rouse_push:restore(Host),
	    S#state{silenced = false};
       Silenced -> silent(S);
       true -> S
    end.

silent(#state{host = Host, silenced = Silenced} = S) ->
    Silenced orelse ?INFO_MSG("mod_rouse: rouse takes events of ~ts", [Host]),
    mod_rouse_push:silence(Host),
    S#state{silenced = true}.

attr(Name, #event{attrs = Attrs}) -> proplists:get_value(Name, Attrs).

now_ms() -> erlang:monotonic_time(millisecond).
