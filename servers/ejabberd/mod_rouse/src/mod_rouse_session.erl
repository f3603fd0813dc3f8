%% What happens to sessions. These are hooks that run in the processes of the clients (ejabberd_c2s), whose state carries
%% what we know beside ejabberd under the key rouse; it goes along when a session is resumed by another process.
-module(mod_rouse_session).

-export([opened/1, copied/2, resumed/1, pending/1, stretch/1, csi/2, before_send/3, after_send/3,
	 received/3, cdata/2, info/2, dying/2, dead/2]).
-export([numbers/1, unread/1, user/1]).

-include("xmpp.hrl").
-include("mod_rouse.hrl").

-import(mod_rouse, [guard/3]).

-define(MAX_UNREAD, 12). % chats that are told apart

%% rouse => #{sid, node: that has given the sid, heard: when the queue was last told that the client was heard, delayed: an acknowledgement is late and
%% everything that goes out is reported, timer: of the watch, again: when a late client was heard,
%% or one resumed}

opened(State) ->
    guard(bind, State,
	  fun() ->
		  {Sid, State1} = track(State),
		  #jid{lresource = Resource} = maps:get(jid, State),
		  report(<<"bind">>, State1, Sid, [{<<"resource">>, Resource}], []),
		  State1
	  end).

copied(State, #{rouse := #{node := Node} = Ours}) when Node == node() ->
    State#{rouse => fresh(Ours)};
copied(State, _) -> State. % from another node, which reports its end: here it is another session

resumed(State) ->
    guard(resumed, State,
	  fun() ->
		  {Sid, #{rouse := Ours} = State1} = track(State),
		  maps:is_key(rouse, State) orelse moved(Sid, State1),
		  report(<<"resumed">>, State1, Sid, [{<<"state">>, csi_state(State1)} | numbers(State1)], []),
		  watch(State1#{rouse => Ours#{again => now_ms()}}) % the queue is sent again, and keeps its old times
	  end).

moved(Sid, #{jid := #jid{lresource = Resource}} = State) ->
    report(<<"bind">>, State, Sid, [{<<"resource">>, Resource}], []),
    [report(<<"enable">>, State, Sid, [{<<"resource">>, Resource} | Attrs], [])
     || {ID, Attrs} <- mod_rouse_push:registered(host(State), user(State)), ID == maps:get(push_session_id, State, none)].

%% Before mod_push, which may publish for the queue.
pending(State) ->
    guard(hibernated, State,
	  fun() ->
		  {Sid, State1} = ours(State),
		  Unread = unread(State1),
		  mod_rouse_table:heard(host(State), user(State), Sid, 0),
		  report(<<"hibernated">>, State1, Sid, numbers(State1), Unread),
		  mod_rouse_push:about(host(State), user(State), Sid,
				       [{proplists:get_value(<<"class">>, A), proplists:get_value(<<"key">>, A),
					 proplists:get_value(<<"last">>, A)} || {<<"unread">>, A} <- Unread]),
		  State1
	  end).

%% mod_push_keepalive keeps the session of a push client for days, unless mod_push has just published for it. While rouse
%% decides, nothing has been published yet: rouse says when (woken).
stretch(State) ->
    mod_rouse_push:about_nothing(),
    stretched(State).

stretched(#{push_enabled := true, push_resume_timeout := Long} = State) when is_integer(Long) ->
    guard(stretch, State,
	  fun() ->
		  Now = mod_stream_mgmt:get_resume_timeout(State),
		  case mod_rouse_push:silenced(host(State)) andalso not maps:is_key(push_resume_timeout_orig, State)
		      andalso Long > Now of
		      true -> (mod_stream_mgmt:set_resume_timeout(State, Long))#{push_resume_timeout_orig => Now};
		      false -> State
		  end
	  end);
stretched(State) -> State.

csi(State, Activity) ->
    guard(csi, State,
	  fun() ->
		  {Sid, State1} = ours(State),
		  report(<<"csi">>, State1, Sid, [{<<"state">>, atom_to_binary(Activity, latin1)}], []),
		  State1
	  end).

%% Before mod_push, and before mod_stream_mgmt counts the stanza.
before_send(#{mgmt_state := Mgmt, rouse := #{delayed := Delayed}} = State, Stanza, _)
  when ?is_stanza(Stanza), Mgmt == pending orelse Mgmt == active andalso Delayed ->
    guard(send, State,
	  fun() ->
		  case xmpp:get_meta(Stanza, mgmt_is_resent, false) of
		      true -> ok;
		      false -> report_stanza(State, Stanza, Mgmt)
		  end,
		  State
	  end);
before_send(State, _, _) -> State.

report_stanza(#{mgmt_stanzas_out := Before, rouse := #{sid := Sid}} = State, Stanza, Mgmt) ->
    Out = integer_to_binary(Before + 1),
    case mod_rouse_stanza:about(Stanza, user(State), host(State)) of
	#about{class = <<"nothing">>} -> ok;
	#about{class = Class, key = Key} = About ->
	    Name = case Mgmt of pending -> <<"queued">>; active -> <<"late">> end,
	    report(Name, State, Sid, [{<<"out">>, Out} | mod_rouse_stanza:attrs(About)], About#about.sealed),
	    mod_rouse_push:about(host(State), user(State), Sid, [{Class, Key, Out}])
    end.

after_send(#{mgmt_state := active, rouse := #{timer := undefined, delayed := false}} = State, _, _) ->
    guard(send, State, fun() -> watch(State) end);
after_send(#{mgmt_state := pending} = State, _, _) ->
    mod_rouse_push:about_nothing(),
    State;
after_send(State, _, _) -> State.

%% --- An acknowledgement is late. ejabberd itself only breaks the connection, after ack_timeout.

%% Looks again when the oldest stanza in the queue will have waited too long.
watch(#{mgmt_state := active, mgmt_queue := Queue, rouse := #{timer := undefined, delayed := false} = Ours} = State) ->
    case p1_queue:is_empty(Queue) of
	true -> State;
	false ->
	    Left = max(0, due(State) - now_ms()),
	    State#{rouse => Ours#{timer => erlang:send_after(Left, self(), {rouse, look})}}
    end;
watch(State) -> State.

due(#{mgmt_queue := Queue, rouse := #{again := Again}} = State) ->
    {value, {_, {Mega, Sec, Micro}, _}} = p1_queue:peek(Queue),
    max((Mega * 1000000 + Sec) * 1000 + Micro div 1000, Again) + mod_rouse:ack_delay(host(State)).

look(#{mgmt_state := active, mgmt_queue := Queue, rouse := #{sid := Sid, delayed := false} = Ours} = State) ->
    State1 = State#{rouse => Ours#{timer => undefined}},
    case p1_queue:is_empty(Queue) orelse due(State) > now_ms() of
	true -> watch(State1);
	false ->
	    report(<<"delayed">>, State1, Sid, numbers(State1), unread(State1)),
	    State#{rouse => Ours#{timer => undefined, delayed => true}}
    end;
look(#{rouse := Ours} = State) -> State#{rouse => Ours#{timer => undefined}}.

%% Any sign of life.
received(State, _El, _Packet) -> heard(State).
cdata(State, _) -> heard(State).

heard(#{rouse := #{heard := Last, delayed := Delayed, sid := Sid} = Ours} = State) ->
    guard(heard, State,
	  fun() ->
		  Now = now_ms(),
		  Ours1 = if Now - Last >= 1000 ->
				  mod_rouse_table:heard(host(State), user(State), Sid, Now),
				  Ours#{heard => Now};
			     true -> Ours
			  end,
		  if Delayed ->
			  self() ! {rouse, heard}, % after what has come is worked off, so that an acknowledgement in it counts
			  State#{rouse => Ours1#{delayed => false, again => Now}};
		     true ->
			  State#{rouse => Ours1}
		  end
	  end);
heard(State) -> State.

%% --- Messages of ours to the process of a client.

info(State, {rouse, What}) ->
    {stop, guard(What, State, fun() -> told(What, State) end)};
info(State, _) -> State.

told(look, #{rouse := _} = State) -> look(State);
told(heard, #{mgmt_state := active, rouse := #{sid := Sid, delayed := false}} = State) ->
    report(<<"heard">>, State, Sid, [{<<"state">>, csi_state(State)} | lists:keydelete(<<"out">>, 1, numbers(State))], []),
    watch(State);
%% The module has started and wants to know who is there. What it missed the picture tells.
told(hello, #{jid := _} = State) ->
    {_, #{rouse := Ours} = State1} = track(State),
    case State1 of
	#{mgmt_state := active, mgmt_queue := Queue} ->
	    case not p1_queue:is_empty(Queue) andalso due(State1) =< now_ms() of
		true -> State1#{rouse => Ours#{delayed => true}};
		false -> watch(State1)
	    end;
	_ -> State1
    end;
told({row, From}, #{mgmt_state := resumed} = State) ->
    mod_rouse_queue:row(From, gone),
    State;
told({row, From}, #{jid := #jid{lresource = Resource}} = State) ->
    {Sid, #{rouse := #{delayed := Delayed}} = State1} = ours(State),
    Which = case State1 of
		#{mgmt_state := pending} -> <<"hibernated">>;
		_ when Delayed -> <<"delayed">>;
		_ -> csi_state(State1)
	    end,
    Waits = Which == <<"hibernated">> orelse Which == <<"delayed">>,
    mod_rouse_queue:row(From, {Sid, maps:get(push_session_id, State1, undefined),
			       [{<<"resource">>, Resource}, {<<"state">>, Which} | numbers(State1)],
			       if Waits -> unread(State1); true -> [] end}),
    State1;
told({row, From}, State) ->
    mod_rouse_queue:row(From, gone),
    State;
%% A wake for this session was accepted: the ordinary resume timeout begins, once in a sleep.
told({woken, Sid}, #{mgmt_state := pending, push_resume_timeout_orig := Timeout, rouse := #{sid := Sid}} = State) ->
    maps:remove(push_resume_timeout_orig, mod_stream_mgmt:set_resume_timeout(State, Timeout));
told(_, State) -> State.

%% --- The end.

%% Before mod_stream_mgmt gives back or drops what was not acknowledged.
dying(#{mgmt_state := Mgmt, rouse := _} = State, _) when Mgmt /= resumed ->
    guard(dying, State, fun() -> mod_rouse_stanza:give_back(State), State end);
dying(State, _) -> State.

%% After everything else; mod_stream_mgmt does not let it come to this where the session was resumed.
dead(#{rouse := #{sid := Sid}} = State, Reason) ->
    guard(ended, State,
	  fun() ->
		  mod_rouse_stanza:given_back(),
		  Why = ejabberd_c2s:format_reason(State, Reason),
		  report(<<"ended">>, State, Sid, [{<<"reason">>, shorten(Why)}], []),
		  State
	  end);
dead(State, _) -> State.

shorten(<<Start:200/binary, _/binary>>) -> << <<C>> || <<C>> <= Start, C < 128>>;
shorten(Text) -> Text.

%% --- What is known of a session.

%% Gives the session a name where it has none yet.
ours(#{rouse := #{sid := Sid}} = State) -> {Sid, State};
ours(State) -> track(State).

%% Makes the session, in this process, known to the queue.
track(State) ->
    Ours = case State of
	       #{rouse := Known} -> fresh(Known);
	       _ -> fresh(#{sid => mod_rouse_push:hex(crypto:strong_rand_bytes(8)), node => node(), again => 0})
	   end,
    Sid = maps:get(sid, Ours),
    mod_rouse_queue:track(host(State), user(State), Sid, self()),
    {Sid, State#{rouse => Ours}}.

fresh(Ours) ->
    case Ours of
	#{timer := Timer} when is_reference(Timer) -> erlang:cancel_timer(Timer);
	_ -> ok
    end,
    Ours#{timer => undefined, delayed => false, heard => now_ms()}.

%% Attributes with the counts of XEP-0198; none without it.
numbers(#{mgmt_queue := Queue, mgmt_stanzas_out := Out}) ->
    Acked = case p1_queue:peek(Queue) of
		{value, {N, _, _}} -> N - 1;
		empty -> Out
	    end,
    [{<<"out">>, integer_to_binary(Out)}, {<<"acked">>, integer_to_binary(Acked)}];
numbers(_) -> [].

%% <unread/> for each class and chat that waits in the session's queue; of more than some chats one for each class.
unread(#{mgmt_queue := Queue} = State) ->
    {User, Host} = {user(State), host(State)},
    Found = p1_queue:foldl(
	      fun({N, _, Stanza}, Acc) when ?is_stanza(Stanza) ->
		      #about{class = Class} = About = mod_rouse_stanza:about(Stanza, User, Host),
		      Own = {Class, About#about.chat, About#about.stranger},
		      Which = case maps:is_key(Own, Acc) orelse maps:size(Acc) < ?MAX_UNREAD of
				  true -> Own;
				  false -> {Class, several, false}
			      end,
		      maps:update_with(Which, fun({Count, _, Before}) -> {Count + 1, N, of_all(About, Before)} end, {1, N, About}, Acc);
		 (_, Acc) -> Acc
	      end, #{}, Queue),
    Rows = [Row || Class <- mod_rouse_classify:classes(), {{C, _, _}, Row} <- lists:sort(maps:to_list(Found)), C == Class],
    [{<<"unread">>, mod_rouse_queue:clean([{<<"last">>, integer_to_binary(Last)}, {<<"count">>, integer_to_binary(Count)} | mod_rouse_stanza:attrs(About)])}
     || {Count, Last, About} <- Rows]
	++ case Rows of
	       [{_, _, #about{sealed = Sealed}} | _] -> Sealed; % of the most important
	       [] -> []
	   end;
unread(_) -> [].

%% The chat is told only if it is the same for all, and that they are strangers.
of_all(#about{chat = Chat, stranger = Stranger} = About, #about{chat = Chat, stranger = Stranger}) -> About;
of_all(About, _) -> About#about{chat = undefined, stranger = false}.

csi_state(#{csi_state := inactive}) -> <<"inactive">>;
csi_state(_) -> <<"active">>.

user(#{jid := #jid{luser = User}}) -> User.
host(#{lserver := Host}) -> Host.

report(Name, State, Sid, Attrs, Children) ->
    mod_rouse_queue:report(host(State), Name, user(State), Sid, Attrs, Children).

now_ms() -> erlang:system_time(millisecond).
