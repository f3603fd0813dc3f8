%% What happens to stanzas that did not reach a screen.
-module(mod_rouse_stanza).

-export([archived/7, archived/8, archived_after/7, archived_after/8, offline/1, offline_after/1, bounced/1, subscribed/2, deleted/2,
	 user_receive/1, user_send/1]).
-export([class_key_and_tag/3, give_back/1, given_back/0]).

-include("xmpp.hrl").

-import(mod_rouse, [guard/3]).

-define(GIVING_BACK, rouse_giving_back). % in the dictionary of a client's process that ends: sid and key => place

%% Class, key and tag of a stanza on its way to the user.
class_key_and_tag(Stanza, User, Host) ->
    {Class, Key, Tag, Sender} = mod_rouse_classify:class_key_tag_and_sender(
				  Stanza, jid:encode({User, Host, <<>>}), fun(Room) -> mod_rouse_table:nick(Host, User, Room) end),
    case Class == <<"nothing">> orelse is_own(Class, Stanza, User, Host) of
	true -> {<<"nothing">>, Key, Tag};
	false ->
	    mod_rouse_table:wrote(Host, User, Class, Sender),
	    {Class, Key, Tag}
    end.

%% What the user's own clients said in rooms.
is_own(Class, #message{from = #jid{} = Room, id = ID}, User, Host) when Class == <<"group">>; Class == <<"mention">> ->
    mod_rouse_table:has_said(Host, User, jid:tolower(jid:remove_resource(Room)), ID);
is_own(_, _, _, _) -> false.

%% Before mod_push. What the user himself sent is archived for him too, and wakes nobody.
archived(#message{} = Message, User, Host, _Peer, _Nick, chat, recv) ->
    guard(archived, Message,
	  fun() ->
		  case class_key_and_tag(Message, User, Host) of
		      {<<"nothing">>, _, _} -> ok;
		      {Class, Key0, Tag} ->
			  Key = case xmpp:get_meta(Message, stanza_id, undefined) of
				    undefined -> Key0;
				    ID -> <<"s:", (integer_to_binary(ID))/binary>>
				end,
			  report(Host, <<"archived">>, User, {Class, Key, Tag}),
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
		  case class_key_and_tag(Message, User, Host) of
		      {<<"nothing">>, _, _} -> ok;
		      {Class, Key, Tag} = Stanza ->
			  call(Stanza, User, Host),
			  {Sid, Out} = place(Key),
			  mod_rouse_queue:report(Host, <<"offline">>, User, Sid, [{<<"class">>, Class}, {<<"key">>, Key}, {<<"tag">>, Tag}, {<<"out">>, Out}], []),
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
		  case mod_rouse_classify:is_call(Message) andalso not maps:is_key(sm_copy, Meta) andalso not maps:is_key(carbon_copy, Meta) of
		      true ->
			  call(class_key_and_tag(Message, User, Host), User, Host);
		      false -> ok
		  end,
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

call({<<"call">>, Key, Tag}, User, Host) ->
    Heard = [{<<"heard">>, [{<<"sid">>, Sid}]} || Sid <- mod_rouse_table:heard_lately(Host, User)],
    mod_rouse_queue:report(Host, <<"call">>, User, undefined, [{<<"class">>, <<"call">>}, {<<"key">>, Key}, {<<"tag">>, Tag}], Heard);
call(_, _, _) -> ok.

%% After ejabberd has told the account's sessions to end.
deleted(User, Server) ->
    guard(deleted, ok,
	  fun() ->
		  {LUser, Host} = {jid:nodeprep(User), jid:nameprep(Server)},
		  mod_rouse_queue:report(Host, <<"deleted">>, LUser, undefined, [], [])
	  end).

%% What the user's own clients say in rooms comes back to all of them, and wakes none.
user_send({#message{type = groupchat, id = ID, to = #jid{} = Room}, #{jid := #jid{luser = User, lserver = Host}}} = Acc) when ID /= <<>> ->
    guard(own, Acc,
	  fun() -> mod_rouse_table:said(Host, User, jid:tolower(jid:remove_resource(Room)), ID), Acc end);
user_send(Acc) -> Acc.

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
		       case class_key_and_tag(Message, User, Host) of
			   {<<"nothing">>, _, _} -> Acc;
			   {_, Key, _} when Rerouted, Stored orelse not Archived -> Acc#{Key => Out};
			   {Class, Key, Tag} when Archived ->
			       mod_rouse_queue:report(Host, <<"offline">>, User, Sid,
						      [{<<"class">>, Class}, {<<"key">>, Key}, {<<"tag">>, Tag}, {<<"out">>, Out}], []),
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
    report(Host, Name, User, class_key_and_tag(Stanza, User, Host)).

report(_, _, _, {<<"nothing">>, _, _}) -> ok;
report(Host, Name, User, {Class, Key, Tag}) ->
    mod_rouse_queue:report(Host, Name, User, undefined, [{<<"class">>, Class}, {<<"key">>, Key}, {<<"tag">>, Tag}], []).
