%% What a stanza is worth, and the key that joins the reports about it (docs/events.md, "Class" and "Key").
-module(mod_rouse_classify).

-export([classes/0, about_and_sender/3, person/2, is_call/1, retracted/2, taken/2, read/2, chat_with/2, inner/2, bare/1, resource/1]).

-include("xmpp.hrl").
-include("mod_rouse.hrl").

-define(NS_CALL, <<"urn:xmpp:jingle-message:0">>).
-define(NS_INVITE, <<"jabber:x:conference">>).
-define(NS_REFERENCE, <<"urn:xmpp:reference:0">>).
-define(NS_FALLBACK, <<"urn:xmpp:fallback:0">>).
-define(NS_READ, <<"urn:xmpp:mds:displayed:0">>).

%% The classes that wake, the most important first.
classes() -> [<<"call">>, <<"message">>, <<"mention">>, <<"group">>, <<"invitation">>, <<"subscription">>].

%% What is told of a stanza on its way to the account (bare JID, normal form), and its sender. NickIn gives what the user is
%% called in a room, or undefined.
about_and_sender(Stanza, Account, NickIn) ->
    El = element_of(Stanza),
    case class(El, Account, NickIn) of
	<<"nothing">> -> {#about{key = key(El, Account)}, undefined};
	Class -> {#about{class = Class, key = key(El, Account), tag = tag(El, Account), chat = chat(El, Account)}, sender(El, Account)}
    end.

class(#xmlel{name = <<"presence">>} = El, _, _) ->
    case attr(<<"type">>, El) of
	<<"subscribe">> -> <<"subscription">>;
	_ -> <<"nothing">>
    end;
class(#xmlel{name = <<"message">>} = El, Account, NickIn) ->
    case unwrap(El, Account) of
	none -> <<"nothing">>;
	{Message, _} -> class_of_message(Message, Account, NickIn)
    end;
class(_, _, _) -> <<"nothing">>.

key(El, Account) ->
    case unwrap(El, Account) of
	none -> undefined;
	{Message, undefined} ->
	    case stanza_id(Message, Account) of
		undefined -> key_of_ids(Message, stanza_id(El, Account));
		ID -> <<"s:", ID/binary>>
	    end;
	{_, ID} -> <<"s:", ID/binary>>
    end.

%% Stands for the id that the sender gave the stanza, which may be anything.
tag(El, Account) ->
    case unwrap(El, Account) of
	none -> undefined;
	{Inner, _} -> short(attr(<<"id">>, Inner))
    end.

short(<<>>) -> undefined;
short(Text) -> mod_rouse_push:hex(binary:part(crypto:hash(sha256, Text), 0, 6)).

%% The call that the stanza proposes, or the chat that it belongs to.
chat(#xmlel{name = <<"message">>} = El, Account) ->
    case unwrap(El, Account) of
	none -> undefined;
	{Message, _} ->
	    case child(Message, <<"propose">>, ?NS_CALL) of
		none -> chat_with(Account, bare(attr(<<"from">>, Message)));
		Propose -> call_of(Account, Propose)
	    end
    end;
chat(_, _) -> undefined.

chat_with(_, <<>>) -> undefined;
chat_with(Account, Whom) -> short(<<Account/binary, 0, Whom/binary>>).

call_of(Account, El) ->
    case attr(<<"id">>, El) of
	<<>> -> undefined;
	ID -> short(<<Account/binary, 0, "call", 0, ID/binary>>)
    end.

%% The call that its caller takes back by a stanza on its way to the account.
retracted(#message{} = Stanza, Account) ->
    El = element_of(Stanza),
    case {child(El, <<"retract">>, ?NS_CALL), bare(attr(<<"from">>, El))} of
	{none, _} -> undefined;
	{_, Account} -> undefined;
	{Retract, _} -> call_of(Account, Retract)
    end.

%% The call that a client of the account takes or refuses by a stanza that it sends.
taken(#message{} = Stanza, Account) ->
    El = element_of(Stanza),
    case [Said || Name <- [<<"proceed">>, <<"accept">>, <<"reject">>], (Said = child(El, Name, ?NS_CALL)) /= none] of
	[Said | _] -> call_of(Account, Said);
	[] -> undefined
    end.

%% What a client of the account shows to have read by a stanza that it sends: chats, each with the last message that was
%% read, where that is said.
read(#message{type = error}, _) -> [];
read(#message{} = Stanza, Account) ->
    El = element_of(Stanza),
    Displayed = child(El, <<"displayed">>, <<"urn:xmpp:chat-markers:0">>),
    case chat_with(Account, bare(attr(<<"to">>, El))) of
	undefined -> [];
	Chat when Displayed /= none -> [#about{chat = Chat, tag = short(attr(<<"id">>, Displayed))}];
	Chat -> [#about{chat = Chat} || has_content(El)]
    end;
read(#iq{type = set, sub_els = [PubSub | _]}, Account) ->
    Items = case xmpp:get_name(PubSub) == <<"pubsub">> andalso fxml:get_subtag(element_of(PubSub), <<"publish">>) of
		#xmlel{children = Els} = Publish -> [El || #xmlel{name = <<"item">>} = El <- Els, attr(<<"node">>, Publish) == ?NS_READ];
		false -> []
	    end,
    [#about{chat = Chat, key = read_to(Item, Account)} ||
	Item <- lists:sublist(Items, 20), Chat <- [chat_with(Account, bare(attr(<<"id">>, Item)))], Chat /= undefined];
read(_, _) -> [].

read_to(Item, Account) ->
    case child(Item, <<"displayed">>, ?NS_READ) of
	none -> undefined;
	Displayed ->
	    case stanza_id(Displayed, Account) of
		undefined -> undefined;
		ID -> <<"s:", ID/binary>>
	    end
    end.

sender(El, Account) ->
    case unwrap(El, Account) of
	none -> undefined;
	{Inner, _} -> attr_or(<<"from">>, Inner, undefined)
    end.

%% The message that a stanza is about, or the stanza itself.
inner(Stanza, Account) ->
    El = element_of(Stanza),
    case unwrap(El, Account) of
	none -> El;
	{Message, _} -> Message
    end.

%% The person (bare JID) who sent a stanza that has a class, or asked a room to; empty if a room did.
person(Stanza, Account) ->
    case unwrap(element_of(Stanza), Account) of
	none -> <<>>;
	{Message, _} ->
	    X = child(Message, <<"x">>, <<"http://jabber.org/protocol/muc#user">>),
	    case {attr(<<"type">>, Message), X /= none andalso fxml:get_subtag(X, <<"invite">>)} of
		{<<"groupchat">>, _} -> <<>>;
		{_, #xmlel{} = Invite} -> bare(attr_or(<<"from">>, Invite, attr(<<"from">>, Message)));
		_ -> bare(attr(<<"from">>, Message))
	    end
    end.

%% Whether the stanza proposes a call, without looking closely: this is asked of every message.
is_call(#message{sub_els = Els}) ->
    lists:any(fun(#xmlel{name = Name} = El) -> Name == <<"propose">> andalso attr(<<"xmlns">>, El) == ?NS_CALL;
		 (El) -> xmpp:get_name(El) == <<"propose">> andalso xmpp:get_ns(El) == ?NS_CALL
	      end, Els);
is_call(_) -> false.

class_of_message(Message, Account, NickIn) ->
    case {attr(<<"type">>, Message), bare(attr(<<"from">>, Message))} of
	{<<"error">>, _} -> <<"nothing">>;
	{<<"headline">>, _} -> <<"nothing">>;
	{_, Account} -> <<"nothing">>;
	{<<"groupchat">>, Room} ->
	    case has_content(Message) of
		false -> <<"nothing">>;
		true ->
		    case mentions(Message, Account, Room, NickIn(Room)) of
			true -> <<"mention">>;
			false -> <<"group">>
		    end
	    end;
	_ ->
	    IsCall = child(Message, <<"propose">>, ?NS_CALL) /= none,
	    IsInvitation = is_invitation(Message),
	    HasContent = has_content(Message),
	    if IsCall -> <<"call">>;
	       IsInvitation -> <<"invitation">>;
	       HasContent -> <<"message">>;
	       true -> <<"nothing">>
	    end
    end.

%% The message inside a carbon, an archive's answer or a room's notice (MUC/Sub), else the stanza itself; and the id that
%% the account's archive gave it, where the wrapping tells. Nothing at all for what another client of the account sent.
unwrap(#xmlel{name = <<"message">>} = El, Account) ->
    case bare(attr(<<"from">>, El)) of
	From when From == <<>>; From == Account ->
	    Result = child(El, <<"result">>, ?NS_MAM_2),
	    case child(El, <<"sent">>, ?NS_CARBONS_2) of
		none ->
		    case {forwarded(child(El, <<"received">>, ?NS_CARBONS_2)), forwarded(Result)} of
			{none, none} -> {El, undefined};
			{none, Inner} -> {Inner, attr_or(<<"id">>, Result, undefined)};
			{Inner, _} -> {Inner, undefined}
		    end;
		_ -> none
	    end;
	_ ->
	    case in_room_notice(El) of
		none -> {El, undefined};
		Inner -> {Inner, stanza_id(El, Account)}
	    end
    end;
unwrap(El, _) -> {El, undefined}.

forwarded(none) -> none;
forwarded(El) ->
    case child(El, <<"forwarded">>, ?NS_FORWARD) of
	none -> none;
	Forwarded -> child(Forwarded, <<"message">>, <<"jabber:client">>)
    end.

in_room_notice(El) ->
    case child(El, <<"event">>, <<"http://jabber.org/protocol/pubsub#event">>) of
	none -> none;
	Event ->
	    Items = fxml:get_subtag(Event, <<"items">>),
	    case is_record(Items, xmlel) andalso attr(<<"node">>, Items) == <<"urn:xmpp:mucsub:nodes:messages">>
		andalso fxml:get_subtag(Items, <<"item">>) of
		#xmlel{} = Item -> child(Item, <<"message">>, <<"jabber:client">>);
		_ -> none
	    end
    end.

%% A body, or an encrypted payload: key transports and the like have none.
has_content(#xmlel{children = Els} = Message) ->
    not lists:any(fun is_about_another/1, Els) andalso
	(has_text(child(Message, <<"body">>, <<"jabber:client">>)) andalso not lists:any(fun is_fallback/1, Els)
	 orelse has_text(child(Message, <<"x">>, <<"jabber:x:encrypted">>))
	 orelse has_text(child(Message, <<"openpgp">>, <<"urn:xmpp:openpgp:0">>))
	 orelse lists:any(fun(El) -> fxml:get_subtag(El, <<"payload">>) /= false end,
			  [El || #xmlel{name = <<"encrypted">>} = El <- Els])). % OMEMO of any version

has_text(none) -> false;
has_text(El) -> fxml:get_tag_cdata(El) /= <<>>.

%% What changes or remarks on an earlier message, and says nothing new: corrections (XEP-0308), reactions (XEP-0444),
%% retractions (XEP-0424) and moderation (XEP-0425), also as they were fastened to it (XEP-0422).
is_about_another(#xmlel{name = Name} = El) ->
    case {Name, attr(<<"xmlns">>, El)} of
	{<<"replace">>, <<"urn:xmpp:message-correct:0">>} -> true;
	{<<"reactions">>, <<"urn:xmpp:reactions:0">>} -> true;
	{<<"retract">>, <<"urn:xmpp:message-retract:0">>} -> true;
	{<<"retract">>, <<"urn:xmpp:message-retract:1">>} -> true;
	{<<"apply-to">>, <<"urn:xmpp:fasten:0">>} -> true;
	_ -> false
    end;
is_about_another(_) -> false.

%% Whether all of the body is for clients that do not know these, and for nobody else (XEP-0428).
is_fallback(#xmlel{name = <<"fallback">>, children = Els} = El) ->
    attr(<<"xmlns">>, El) == ?NS_FALLBACK andalso stands_for(attr(<<"for">>, El)) andalso
	case fxml:get_subtag(El, <<"body">>) of
	    false -> not lists:any(fun(Child) -> is_record(Child, xmlel) end, Els);
	    Body -> attr(<<"start">>, Body) == <<>> andalso attr(<<"end">>, Body) == <<>>
	end;
is_fallback(_) -> false.

stands_for(<<"urn:xmpp:reactions:0">>) -> true;
stands_for(<<"urn:xmpp:message-retract:0">>) -> true;
stands_for(<<"urn:xmpp:message-retract:1">>) -> true;
stands_for(<<"urn:xmpp:message-moderate:0">>) -> true;
stands_for(<<"urn:xmpp:message-moderate:1">>) -> true;
stands_for(?NS_CALL) -> true;
stands_for(_) -> false.

is_invitation(Message) ->
    case child(Message, <<"x">>, <<"http://jabber.org/protocol/muc#user">>) of
	none -> child(Message, <<"x">>, ?NS_INVITE) /= none;
	X -> fxml:get_subtag(X, <<"invite">>) /= false orelse child(Message, <<"x">>, ?NS_INVITE) /= none
    end.

%% Nick is what the user is called in the room, undefined if nobody knows.
mentions(#xmlel{children = Els} = Message, Account, Room, Nick) ->
    lists:any(fun(#xmlel{name = <<"reference">>} = El) ->
		      attr(<<"xmlns">>, El) == ?NS_REFERENCE andalso attr(<<"type">>, El) == <<"mention">>
			  andalso is_user(mentioned(attr(<<"uri">>, El)), Account, Room, Nick);
		 (_) -> false
	      end, Els)
	orelse Nick /= undefined andalso
	case child(Message, <<"body">>, <<"jabber:client">>) of
	    none -> false;
	    Body -> has_word(lower(fxml:get_tag_cdata(Body)), lower(Nick))
	end.

is_user({Account, _}, Account, _, _) -> true;
is_user({Room, Nick}, _, Room, Nick) -> true;
is_user(_, _, _, _) -> false.

%% Bare JID and resource.
mentioned(<<"xmpp:", Rest/binary>>) ->
    [Whom | _] = binary:split(Rest, <<"?">>),
    JID = unescape(Whom, <<>>),
    {bare(JID), resource(JID)};
mentioned(_) -> undefined.

unescape(<<$%, Hex:2/binary, Rest/binary>>, Done) ->
    try unescape(Rest, <<Done/binary, (binary_to_integer(Hex, 16))>>)
    catch error:badarg -> unescape(Rest, <<Done/binary, $%, Hex/binary>>)
    end;
unescape(<<C, Rest/binary>>, Done) -> unescape(Rest, <<Done/binary, C>>);
unescape(<<>>, Done) -> Done.

%% Whether the text has the name as a word, both in lower case. Case counts outside of ASCII only.
has_word(_, <<>>) -> false;
has_word(Text, Name) -> has_word(Text, Name, 0).

has_word(Text, Name, From) ->
    case binary:match(Text, Name, [{scope, {From, byte_size(Text) - From}}]) of
	nomatch -> false;
	{At, Length} ->
	    case At > 0 andalso is_letter(Text, begins(Text, At - 1)) orelse is_letter(Text, At + Length) of
		false -> true;
		true -> has_word(Text, Name, At + 1)
	    end
    end.

%% Where the character begins that has its last byte there.
begins(Text, At) ->
    case binary:at(Text, At) of
	C when At > 0, C >= 16#80, C < 16#C0 -> begins(Text, At - 1);
	_ -> At
    end.

%% Whether a letter or a digit begins there: of the scripts that write spaces between words.
is_letter(Text, At) ->
    case Text of
	<<_:At/binary, C, _/binary>> when C < 16#80 ->
	    C >= $a andalso C =< $z orelse C >= $0 andalso C =< $9 orelse C == $_;
	<<_:At/binary, C, _/binary>> when C >= 16#C3, C =< 16#DF -> true; % U+00C0 and more
	<<_:At/binary, 16#E0, C, _/binary>> -> C =< 16#B7;                  % to U+0DFF
	<<_:At/binary, 16#E1, C, _/binary>> -> C >= 16#B8;                  % U+1E00 to U+1FFF
	_ -> false
    end.

lower(Text) -> << <<(if C >= $A, C =< $Z -> C + 32; true -> C end)>> || <<C>> <= Text >>.

%% The id that the account's archive gave to the stanza.
stanza_id(#xmlel{children = Els}, Account) ->
    IDs = [attr(<<"id">>, El) || #xmlel{name = <<"stanza-id">>} = El <- Els,
				 attr(<<"xmlns">>, El) == ?NS_SID_0, bare(attr(<<"by">>, El)) == Account],
    case IDs of
	[ID | _] when ID /= <<>> -> ID;
	_ -> undefined
    end.

key_of_ids(Message, undefined) ->
    case attr(<<"id">>, Message) of
	<<>> -> undefined;
	ID ->
	    Parts = iolist_to_binary([attr(<<"from">>, Message), " ", attr(<<"type">>, Message), " ", ID]),
	    %% Clients choose their ids, of any length; many long ones must not make a batch that nobody takes.
	    if byte_size(Parts) > 200 -> <<"i:", (mod_rouse_push:hex(crypto:hash(sha256, Parts)))/binary>>;
	       true -> <<"i:", Parts/binary>>
	    end
    end;
key_of_ids(_, ID) -> <<"s:", ID/binary>>.

element_of(#xmlel{} = El) -> El;
element_of(Stanza) -> xmpp:encode(Stanza).

%% Elements of the stream's own namespace may say so or not.
child(#xmlel{children = Els}, Name, NS) ->
    Fits = [El || #xmlel{name = N} = El <- Els, N == Name,
		  case attr(<<"xmlns">>, El) of
		      <<>> -> NS == <<"jabber:client">> orelse Name == <<"forwarded">>;
		      Own -> Own == NS
		  end],
    case Fits of
	[El | _] -> El;
	[] -> none
    end.

attr(Name, El) -> fxml:get_tag_attr_s(Name, El).

attr_or(Name, El, Default) ->
    case attr(Name, El) of
	<<>> -> Default;
	Value -> Value
    end.

resource(JID) ->
    try (jid:decode(JID))#jid.lresource
    catch _:_ -> <<>>
    end.

bare(<<>>) -> <<>>;
bare(JID) ->
    try jid:encode(jid:tolower(jid:remove_resource(jid:decode(JID))))
    catch _:_ -> <<>>
    end.
