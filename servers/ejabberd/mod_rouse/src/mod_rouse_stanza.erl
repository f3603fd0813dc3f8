%% What happens to stanzas that did not reach a screen.
-module(mod_rouse_stanza).

-export([archived/7, archived/8, archived_after/7, archived_after/8, offline/1, offline_after/1, bounced/1, subscribed/2, deleted/2,
	 user_receive/1, user_send/1]).
-export([about/3, attrs/1, give_back/1, given_back/0]).

-include("xmpp.hrl").
-include("mod_rouse.hrl").

-import(mod_rouse, [guard/3]).

-define(GIVING_BACK, rouse_giving_back). % in the dictionary of a client's process that ends: sid and key => place

%% What is told of a stanza on its way to the user.
about(Stanza, User, Host) ->
    {#about{class = Class} = About, Sender} = mod_rouse_classify:about_and_sender(
						Stanza, account(User, Host), fun(Room) -> mod_rouse_table:nick(Host, User, Room) end),
    case Class == <<"nothing">> orelse is_own(Class, Stanza, User, Host) of
	true -> #about{key = About#about.key};
	false ->
	    mod_rouse_table:wrote(Host, User, Class, Sender),
	    Account = account(User, Host),
	    About#about{stranger = is_stranger(mod_rouse_classify:person(Stanza, Account), User, Host),
			sealed = mod_rouse_seal:sealed(mod_rouse_classify:inner(Stanza, Account), User, Host, Class)}
    end.

%% Whether the person is one whom the user neither has nor asked for in the roster; of who wrote in a room nobody says so.
is_stranger(<<>>, _, _) -> false;
is_stranger(Host, _, Host) -> false;
is_stranger(Person, User, Host) ->
    gen_mod:is_loaded(Host, mod_roster) andalso Person /= account(User, Host) andalso mod_rouse_table:nick(Host, User, Person) == undefined andalso
	case ejabberd_hooks:run_fold(roster_get_jid_info, Host, {none, none, []}, [User, Host, jid:decode(Person)]) of
	    {none, Ask, _} -> Ask /= out andalso Ask /= both;
	    _ -> false
	end.

account(User, Host) -> jid:encode({User, Host, <<>>}).

%% The same as attributes.
attrs(#about{class = Class, key = Key, tag = Tag, chat = Chat, stranger = Stranger}) ->
    [{<<"class">>, Class}, {<<"key">>, Key}, {<<"tag">>, Tag}, {<<"chat">>, Chat} | [{<<"stranger">>, <<"true">>} || Stranger]].

%% What the user's own clients said in rooms.
is_own(Class, #message{from = #jid{} = Room, id = ID}, User, Host) when Class == <<"group">>; Class == <<"mention">> ->
    mod_rouse_table:has_said(Host, User, jid:tolower(jid:remove_resource(Room)), ID);
is_own(_, _, _, _) -> false.

%% Before mod_push. What the user himself sent is archived for him too, and wakes nobody.
archived(#message{} = Message, User, Host, _Peer, _Nick, chat, recv) ->
    guard(archived, Message,
	  fun() ->
		  case about(Message, User, Host) of
		      #about{class = <<"nothing">>} -> ok;
		      #about{class = Class, key = Key0} = About ->
			  Key = case xmpp:get_meta(Message, stanza_id, undefined) of
				    undefined -> Key0;
				    ID -> <<"s:", (integer_to_binary(ID))/binary>>
				end,
			  report(Host, <<"archived">>, User, About#about{key = Key}),
			  mod_rouse_push:about(Host, User, undefined, [{Class, Key, undefined}])
		  end,
		  Message
	  end);
archived(Acc, _, _, _, _, _, _) -> Acc.

%% Newer ejabberd says also whether a room's archive has it.
archived(Acc, User, Host, Peer, Nick, Type, Dir, _InRoomArchive) -> archived(Acc, User, Host, Peer, Nick, Type, Dir).

archived_after(Acc, _, _, _, _, _, _) -> mod_rouse_push:about_nothing(), Acc.
archived_after(Acc, _, _, _, _, _, _, _) -> mod_rouse_push:about_nothing(), Acc.

%% After mod_mam and mod_offline, before mod_push.
offline({_Stored, #message{to = #jid{luser = User, lserver = Host}} = Message} = Acc) ->
    guard(offline, Acc,
	  fun() ->
		  retracted(Message, User, Host),
		  case about(Message, User, Host) of
		      #about{class = <<"nothing">>} -> ok;
		      #about{class = Class, key = Key} = About ->
			  call(About, User, Host),
			  {Sid, Out} = place(Key),
			  mod_rouse_queue:report(Host, <<"offline">>, User, Sid, [{<<"out">>, Out} | attrs(About)], About#about.sealed),
			  mod_rouse_push:about(Host, User, Sid, [{Class, Key, Out}])
		  end,
		  Acc
	  end);
offline(Acc) -> Acc.

offline_after(Acc) -> mod_rouse_push:about_nothing(), Acc.

%% A room's message for a user who has no session.
bounced({_, #message{type = groupchat, to = #jid{luser = User, lserver = Host, lresource = <<>>}} = Message} = Acc) when User /= <<>> ->
    guard(room, Acc,
	  fun() ->
		  case ejabberd_sm:get_user_resources(User, Host) == [] andalso ejabberd_auth:user_exists(User, Host) of
		      true -> report_classified(Host, <<"room">>, User, Message);
		      false -> ok
		  end,
		  Acc
	  end);
bounced(Acc) -> Acc.

%% After mod_roster, which says whether the user shall see it.
subscribed(true, #presence{type = subscribe, to = #jid{luser = User, lserver = Host}} = Presence) ->
    guard(subscribe, true, fun() -> report_classified(Host, <<"subscribe">>, User, Presence), true end);
subscribed(Acc, _) -> Acc.

%% After mod_mam has given the stanza its id. One of the user's sessions gets the message itself, the others copies.
user_receive({#message{meta = Meta} = Message, #{jid := #jid{luser = User, lserver = Host}}} = Acc) ->
    guard(call, Acc,
	  fun() ->
		  IsCopy = maps:is_key(sm_copy, Meta) orelse maps:is_key(carbon_copy, Meta),
		  IsCall = mod_rouse_classify:is_call(Message),
		  InCluster = mod_rouse_nodes:others() /= [],
		  About = case IsCall andalso not IsCopy orelse InCluster of
			      true -> about(Message, User, Host);
			      false -> #about{}
			  end,
		  %% Another node may tell of it. This one hears whether it is read.
		  InCluster andalso mod_rouse_table:unread(Host, User, About#about.chat),
		  IsCopy orelse call(About, User, Host),
		  IsCopy orelse retracted(Message, User, Host),
		  Acc
	  end);
%% A room says who one is there (XEP-0045 §7.2.2, status 110).
user_receive({#presence{type = available, from = #jid{lresource = Nick} = Occupant} = Presence, #{jid := #jid{luser = User, lserver = Host}}} = Acc)
  when Nick /= <<>> ->
    guard(nick, Acc,
	  fun() ->
		  case xmpp:try_subtag(Presence, #muc_user{}) of
		      #muc_user{status_codes = Codes} ->
			  lists:member(110, Codes) andalso mod_rouse_table:called(Host, User, jid:encode(jid:tolower(jid:remove_resource(Occupant))), Nick);
		      _ -> ok
		  end,
		  Acc
	  end);
user_receive(Acc) -> Acc.

call(#about{class = <<"call">>} = About, User, Host) ->
    Heard = [{<<"heard">>, [{<<"sid">>, Sid}]} || Sid <- mod_rouse_table:heard_lately(Host, User)],
    mod_rouse_queue:report(Host, <<"call">>, User, undefined, attrs(About), Heard ++ About#about.sealed);
call(_, _, _) -> ok.

retracted(Message, User, Host) ->
    case mod_rouse_classify:retracted(Message, account(User, Host)) of
	undefined -> ok;
	Call -> over(<<"retracted">>, Host, User, undefined, #about{chat = Call})
    end.

%% Says that a chat was read, or a call is over, if something of it was told.
over(Name, Host, User, Sid, #about{key = Key, tag = Tag, chat = Chat}) ->
    mod_rouse_table:is_unread(Host, User, Chat) andalso
	mod_rouse_queue:report(Host, Name, User, Sid, [{<<"key">>, Key}, {<<"tag">>, Tag}, {<<"chat">>, Chat}], []),
    ok.

%% After ejabberd has told the account's sessions to end.
deleted(User, Server) ->
    guard(deleted, ok,
	  fun() ->
		  {LUser, Host} = {jid:nodeprep(User), jid:nameprep(Server)},
		  mod_rouse_seal:forget(Host, LUser),
		  mod_rouse_queue:report(Host, <<"deleted">>, LUser, undefined, [], [])
	  end).

%% What the user's own clients say in rooms comes back to all of them, and wakes none. What they show to have read, and the
%% calls that they take or refuse.
user_send({Packet, #{jid := #jid{luser = User, lserver = Host}} = State} = Acc) when is_record(Packet, message); is_record(Packet, iq) ->
    guard(sent, Acc,
	  fun() ->
		  said(Packet, User, Host),
		  case State of
		      #{rouse := #{sid := Sid}} -> shown(Packet, User, Host, Sid);
		      _ -> ok
		  end,
		  Acc
	  end);
user_send(Acc) -> Acc.

said(#message{type = groupchat, id = ID, to = #jid{} = Room}, User, Host) when ID /= <<>> ->
    mod_rouse_table:said(Host, User, jid:tolower(jid:remove_resource(Room)), ID);
said(_, _, _) -> ok.

shown(#message{} = Message, User, Host, Sid) ->
    case mod_rouse_classify:taken(Message, account(User, Host)) of
	undefined -> read(Message, User, Host, Sid);
	Call -> over(<<"taken">>, Host, User, Sid, #about{chat = Call})
    end;
shown(IQ, User, Host, Sid) -> read(IQ, User, Host, Sid).

read(Stanza, User, Host, Sid) ->
    [over(<<"read">>, Host, User, Sid, About) || About <- mod_rouse_classify:read(Stanza, account(User, Host))].

%% --- The queue of a session that ends. mod_stream_mgmt sends on what was not acknowledged, and that may be stored
%% offline; or drops it because the archive has it; or bounces it.

give_back(#{mgmt_queue := Queue, jid := #jid{luser = User, lserver = Host}, rouse := #{sid := Sid}} = State) ->
    Rerouted = rerouted(State),
    Stored = gen_mod:is_loaded(Host, mod_offline),
    Places = p1_queue:foldl(
	       fun({_, _, #message{meta = #{carbon_copy := true}}}, Acc) -> Acc;
		  ({N, _, #message{} = Message}, Acc) ->
		       Out = integer_to_binary(N),
		       Archived = xmpp:get_meta(Message, mam_archived, false),
		       case about(Message, User, Host) of
			   #about{class = <<"nothing">>} -> Acc;
			   #about{key = Key} when Rerouted, Stored orelse not Archived -> Acc#{Key => Out};
			   About when Archived ->
			       mod_rouse_queue:report(Host, <<"offline">>, User, Sid, [{<<"out">>, Out} | attrs(About)], About#about.sealed),
			       Acc;
			   _ -> Acc
		       end;
		  (_, Acc) -> Acc
	       end, #{}, Queue),
    put(?GIVING_BACK, {Sid, maps:remove(undefined, Places)});
give_back(_) -> ok.

%% As mod_stream_mgmt decides.
rerouted(#{mgmt_resend := if_offline, user := User, lserver := Host, resource := Resource}) ->
    case ejabberd_sm:get_user_resources(User, Host) of
	[Resource] -> true;
	Others -> Others == []
    end;
rerouted(#{mgmt_resend := Resend}) -> Resend == true.

given_back() -> erase(?GIVING_BACK).

%% Which session gives the stanza back now, and where it was in its queue.
place(Key) ->
    case get(?GIVING_BACK) of
	{Sid, #{Key := Out}} -> {Sid, Out};
	_ -> {undefined, undefined}
    end.

%% ---

report_classified(Host, Name, User, Stanza) ->
    report(Host, Name, User, about(Stanza, User, Host)).

report(_, _, _, #about{class = <<"nothing">>}) -> ok;
report(Host, Name, User, About) -> mod_rouse_queue:report(Host, Name, User, undefined, attrs(About), About#about.sealed).
