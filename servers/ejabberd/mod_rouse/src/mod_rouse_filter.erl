%% What a client says in <enable/> of what its device is not to be woken for (docs/events.md, "Filter"): as Tigase's clients
%% say it, or in more detail as rouse has it. Who is who stays here: rouse gets names of chats.
-module(mod_rouse_filter).

-export([chosen/3, features/5]).

-include("xmpp.hrl").
-include("mod_rouse.hrl").

-define(NS_FILTER, <<"rouse:filter:0">>).
-define(MUTED, <<"tigase:push:filter:muted:0">>).
-define(GROUPCHAT, <<"tigase:push:filter:groupchat:0">>).
-define(UNKNOWN, <<"tigase:push:filter:ignore-unknown:0">>).
-define(PRIORITY, <<"tigase:push:priority:0">>).
-define(MAX_CHATS, 200).

%% What the account offers.
features({error, _} = Acc, _, _, _, _) -> Acc;
features(Acc, _From, _To, <<>>, _Lang) ->
    {result, case Acc of {result, Features} -> Features; empty -> [] end
     ++ [?NS_FILTER, ?MUTED, ?GROUPCHAT, ?UNKNOWN, ?PRIORITY, <<"tigase:push:away:0">>, <<"tigase:push:jingle:0">> | mod_rouse_seal:features()]};
features(Acc, _, _, _, _) -> Acc.

%% Attributes of <filter/>, or undefined if nothing is said.
chosen(#xmlel{children = Els}, User, Host) ->
    Account = jid:encode({User, Host, <<>>}),
    case lists:flatmap(fun(El) -> said(El) end, [El || #xmlel{} = El <- Els]) of
	[] -> undefined;
	Said ->
	    Chats = lists:sublist([{List, Chat} || {chat, List, Whom} <- Said, (Chat = mod_rouse_classify:chat_with(Account, bare(Whom))) /= undefined], ?MAX_CHATS),
	    [mod_rouse_table:known_as(Host, User, bare(Room), Nick) || {nick, Room, Nick} <- Said, bare(Room) /= <<>>],
	    %% Of what is said twice, rouse's own word counts.
	    maps:to_list(maps:from_list([{Name, Value} || {attr, Name, Value} <- Said]))
		++ [{List, iolist_to_binary(lists:join(<<" ">>, In))}
		    || List <- [<<"muted">>, <<"always">>, <<"mentioned">>, <<"never">>], (In = [Chat || {L, Chat} <- Chats, L == List]) /= []]
    end.

said(#xmlel{name = Name, children = Els} = El) ->
    Within = fun(Child) -> [C || #xmlel{name = N} = C <- Els, N == Child] end,
    case {Name, attr(<<"xmlns">>, El)} of
	{<<"muted">>, ?MUTED} -> [said | [{chat, <<"muted">>, attr(<<"jid">>, C)} || C <- Within(<<"item">>)]];
	{<<"groupchat">>, ?GROUPCHAT} -> % the client lists the others
	    [{attr, <<"groups">>, <<"never">>} | lists:flatmap(fun room/1, Within(<<"room">>))];
	{<<"ignore-unknown">>, ?UNKNOWN} -> [{attr, <<"known">>, <<"true">>}];
	{<<"priority">>, ?PRIORITY} -> [{attr, <<"priority">>, <<"true">>}];
	{<<"filter">>, ?NS_FILTER} ->
	    [said | [{attr, N, <<"true">>} || N <- [<<"known">>, <<"calls">>], lists:member(attr(N, El), [<<"true">>, <<"1">>])]]
		++ [{attr, N, Value} || {N, Pattern} <- values(), Value <- [attr(N, El)], fits(Value, Pattern), N /= <<"zone">> orelse attr(<<"quiet">>, El) /= <<>>]
		++ [{chat, <<"muted">>, attr(<<"jid">>, C)} || C <- Within(<<"muted">>)]
		++ lists:flatmap(fun room/1, Within(<<"room">>));
	_ -> []
    end.

room(El) ->
    Allow = case attr(<<"allow">>, El) of
		A when A == <<"mentioned">>; A == <<"never">> -> A;
		_ -> <<"always">>
	    end,
    Room = attr(<<"jid">>, El),
    [{chat, Allow, Room} | [{nick, Room, Nick} || Nick <- [attr(<<"nick">>, El)], Nick /= <<>>]].

values() ->
    [{<<"groups">>, <<"^(always|mentioned|never)$">>},
     {<<"quiet">>, <<"^\\d\\d:\\d\\d-\\d\\d:\\d\\d$">>},
     {<<"zone">>, <<"^[A-Za-z0-9/_+-]+$">>},
     {<<"until">>, <<"^\\d{4}-\\d\\d-\\d\\dT[\\d:.]+[Z\\d:+-]+$">>},
     {<<"grace">>, <<"^\\d{1,3}$">>}].

fits(Value, Pattern) -> byte_size(Value) =< 64 andalso re:run(Value, Pattern, [{capture, none}, dollar_endonly]) == match.

attr(Name, El) -> fxml:get_tag_attr_s(Name, El).

bare(JID) -> mod_rouse_classify:bare(JID).
