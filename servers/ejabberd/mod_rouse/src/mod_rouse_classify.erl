%% What a stanza is worth, and the key that joins the reports about it (docs/events.md, "Class" and "Key").
-module(mod_rouse_classify).

-export([classes/0, class_key_tag_and_sender/2, class/2, key/2, is_call/1]).

-include("xmpp.hrl").

-define(NS_CALL, <<"urn:xmpp:jingle-message:0">>).

%% The classes that wake, the most important first.
classes() -> [<<"call">>, <<"message">>, <<"mention">>, <<"group">>, <<"subscription">>].

%% Class, key, tag and sender of a stanza on its way to the account (bare JID, normal form).
class_key_tag_and_sender(Stanza, Account) ->
    El = element_of(Stanza),
    {class(El, Account), key(El, Account), tag(El, Account), sender(El, Account)}.

class(#xmlel{name = <<"presence">>} = El, _) ->
    case attr(<<"type">>, El) of
	<<"subscribe">> -> <<"subscription">>;
	_ -> <<"nothing">>
    end;
class(#xmlel{name = <<"message">>} = El, Account) ->
    case unwrap(El, Account) of
	none -> <<"nothing">>;
	{Message, _} -> class_of_message(Message, Account)
    end;
class(_, _) -> <<"nothing">>.

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
	{Inner, _} ->
	    case attr(<<"id">>, Inner) of
		<<>> -> undefined;
		ID -> mod_rouse_push:hex(binary:part(crypto:hash(sha256, ID), 0, 6))
	    end
    end.

sender(El, Account) ->
    case unwrap(El, Account) of
	none -> undefined;
	{Inner, _} -> attr_or(<<"from">>, Inner, undefined)
    end.

%% Whether the stanza proposes a call, without looking closely: this is asked of every message.
is_call(#message{sub_els = Els}) ->
    lists:any(fun(#xmlel{name = Name} = El) -> Name == <<"propose">> andalso attr(<<"xmlns">>, El) == ?NS_CALL;
		 (El) -> xmpp:get_name(El) == <<"propose">> andalso xmpp:get_ns(El) == ?NS_CALL
	      end, Els);
is_call(_) -> false.

class_of_message(Message, Account) ->
    case {attr(<<"type">>, Message), bare(attr(<<"from">>, Message))} of
	{<<"error">>, _} -> <<"nothing">>;
	{<<"headline">>, _} -> <<"nothing">>;
	{_, Account} -> <<"nothing">>;
	{<<"groupchat">>, _} ->
	    case has_content(Message) of
		false -> <<"nothing">>;
		true ->
		    case mentions(Message, Account) of
			true -> <<"mention">>;
			false -> <<"group">>
		    end
	    end;
	_ ->
	    IsCall = child(Message, <<"propose">>, ?NS_CALL) /= none,
	    HasContent = has_content(Message) orelse is_invitation(Message),
	    if IsCall -> <<"call">>;
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
has_content(Message) ->
    has_text(child(Message, <<"body">>, <<"jabber:client">>))
	orelse has_text(child(Message, <<"x">>, <<"jabber:x:encrypted">>))
	orelse has_text(child(Message, <<"openpgp">>, <<"urn:xmpp:openpgp:0">>))
	orelse lists:any(fun(El) -> fxml:get_subtag(El, <<"payload">>) /= false end,
			 [El || #xmlel{name = <<"encrypted">>} = El <- Message#xmlel.children]). % OMEMO of any version

has_text(none) -> false;
has_text(El) -> fxml:get_tag_cdata(El) /= <<>>.

is_invitation(Message) ->
    case child(Message, <<"x">>, <<"http://jabber.org/protocol/muc#user">>) of
	none -> child(Message, <<"x">>, <<"jabber:x:conference">>) /= none;
	X -> fxml:get_subtag(X, <<"invite">>) /= false orelse child(Message, <<"x">>, <<"jabber:x:conference">>) /= none
    end.

mentions(Message, Account) ->
    lists:any(fun(#xmlel{name = <<"reference">>} = El) ->
		      attr(<<"xmlns">>, El) == <<"urn:xmpp:reference:0">> andalso attr(<<"type">>, El) == <<"mention">>
			  andalso mentioned(attr(<<"uri">>, El)) == Account;
		 (_) -> false
	      end, Message#xmlel.children).

mentioned(<<"xmpp:", Rest/binary>>) ->
    [Whom | _] = binary:split(Rest, <<"?">>),
    bare(unescape(Whom, <<>>));
mentioned(_) -> <<>>.

unescape(<<$%, Hex:2/binary, Rest/binary>>, Done) ->
    try unescape(Rest, <<Done/binary, (binary_to_integer(Hex, 16))>>)
    catch error:badarg -> unescape(Rest, <<Done/binary, $%, Hex/binary>>)
    end;
unescape(<<C, Rest/binary>>, Done) -> unescape(Rest, <<Done/binary, C>>);
unescape(<<>>, Done) -> Done.

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
	    if byte_size(Parts) > 512 -> <<"i:", (mod_rouse_push:hex(crypto:hash(sha256, Parts)))/binary>>;
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

bare(<<>>) -> <<>>;
bare(JID) ->
    try jid:encode(jid:tolower(jid:remove_resource(jid:decode(JID))))
    catch _:_ -> <<>>
    end.
