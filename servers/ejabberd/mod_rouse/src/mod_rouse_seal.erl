%% What a stanza says, encrypted for the app of a device (tigase:push:encrypt:0): AES-128-GCM, with a key that the app chose.
%% The key stays here, and the plain text nowhere.
-module(mod_rouse_seal).

-export([start/0, features/0, enabled/5, gone/4, forget/2, sealed/4, encrypted/5]).

-include("xmpp.hrl").
-include("mod_rouse.hrl").

-define(NS, <<"tigase:push:encrypt:0">>).
-define(MAX_BODY, 255). % bytes
-define(MAX_PAYLOAD, 3000). % of what is sent, in base64
-define(MAX_DEVICES, 3).

-record(rouse_key, {id :: {binary(), binary(), binary(), binary()}, % user, host, service, node
		    key :: binary(),
		    max :: pos_integer()}).

%% All nodes of a cluster have the keys.
start() ->
    ejabberd_mnesia:create(?MODULE, rouse_key, [{disc_copies, [node()]}, {attributes, record_info(fields, rouse_key)}]).

features() -> [?NS, <<"tigase:push:encrypt:aes-128-gcm">>].

%% A client enabled push: with a key, or without one.
enabled(Host, User, Service, Node, #xmlel{} = Enable) ->
    ID = {User, Host, Service, Node},
    case key([El || #xmlel{name = <<"encrypt">>} = El <- Enable#xmlel.children, fxml:get_tag_attr_s(<<"xmlns">>, El) == ?NS]) of
	undefined -> mnesia:dirty_read(rouse_key, ID) == [] orelse mnesia:dirty_delete(rouse_key, ID);
	{Key, Max} -> mnesia:dirty_write(#rouse_key{id = ID, key = Key, max = Max})
    end,
    ok.

key([El | _]) ->
    Max = try min(max(binary_to_integer(fxml:get_tag_attr_s(<<"max-size">>, El)), 1), ?MAX_PAYLOAD) catch _:_ -> ?MAX_PAYLOAD end,
    case {fxml:get_tag_attr_s(<<"alg">>, El), try base64:decode(fxml:get_tag_cdata(El)) catch _:_ -> <<>> end} of
	{<<"aes-128-gcm">>, <<Key:16/binary>>} -> {Key, Max};
	_ -> undefined
    end;
key([]) -> undefined.

gone(Host, User, Service, Node) -> mnesia:dirty_delete(rouse_key, {User, Host, Service, Node}).

forget(Host, User) ->
    [mnesia:dirty_delete(rouse_key, ID) || #rouse_key{id = ID} <- of_user(Host, User)],
    ok.

of_user(Host, User) -> mnesia:dirty_match_object(#rouse_key{id = {User, Host, '_', '_'}, _ = '_'}).

%% <sealed/> for each device of the user whose app can read it. Few accounts have keys: that is seen without looking at them.
sealed(_, _, _, <<"nothing">>) -> [];
sealed(Message, User, Host, Class) ->
    case mnesia:table_info(rouse_key, size) of
	0 -> [];
	_ ->
	    Ours = mod_rouse:component(Host),
	    Said = [{S, N, seal(K, said(Message, Class))} || #rouse_key{id = {_, _, S, N}} = K <- lists:sublist(of_user(Host, User), ?MAX_DEVICES)],
	    [mod_rouse_table:note(Host, {sealed, User, S, N, Class}, {os:system_time(millisecond), Sealed}) || {S, N, Sealed} <- Said, S /= Ours],
	    [Sealed || {S, _, Sealed} <- Said, S == Ours]
    end.

%% What a publish to a push service of others says in place of its form.
encrypted(Host, User, Service, Node, Class) ->
    case mod_rouse_table:noted(Host, {sealed, User, Service, Node, Class}) of
	{_, {_, Attrs}} ->
	    Type = [{<<"type">>, <<"voip">>} || Class == <<"call">>],
	    #xmlel{name = <<"encrypted">>, attrs = [{<<"xmlns">>, ?NS}, lists:keyfind(<<"iv">>, 1, Attrs) | Type],
		   children = [{xmlcdata, proplists:get_value(<<"data">>, Attrs)}]};
	undefined -> undefined
    end.

seal(#rouse_key{id = {_, _, Service, Node}, key = Key, max = Max}, Said) ->
    Whole = json(Said),
    Text = case (byte_size(Whole) + 16 + 2) div 3 * 4 > Max of
	       true -> json(lists:keydelete(<<"message">>, 1, Said));
	       false -> Whole
	   end,
    IV = crypto:strong_rand_bytes(12),
    {Data, Tag} = crypto:crypto_one_time_aead(aes_128_gcm, Key, IV, Text, <<>>, 16, true),
    {<<"sealed">>, [{<<"service">>, Service}, {<<"node">>, Node}, {<<"iv">>, base64:encode(IV)},
		    {<<"data">>, base64:encode(<<Data/binary, Tag/binary>>)}]}.

said(Message, Class) ->
    From = fxml:get_tag_attr_s(<<"from">>, Message),
    Body = fxml:get_subtag_cdata(Message, <<"body">>),
    Text = [{<<"message">>, cut(Body, ?MAX_BODY)} || Body /= <<>>],
    [{<<"unread">>, 1} | case {Class, fxml:get_tag_attr_s(<<"type">>, Message)} of
	{<<"call">>, _} ->
	    Propose = fxml:get_subtag(Message, <<"propose">>),
	    Media = [fxml:get_tag_attr_s(<<"media">>, D) || #xmlel{name = <<"description">>} = D <- Propose#xmlel.children],
	    [{<<"type">>, <<"call">>}, {<<"sender">>, From}, {<<"sid">>, fxml:get_tag_attr_s(<<"id">>, Propose)} | [{<<"media">>, Media} || Media /= []]];
	{<<"subscription">>, _} -> [{<<"type">>, <<"subscribe">>}, {<<"sender">>, mod_rouse_classify:bare(From)}];
	{_, <<"groupchat">>} ->
	    [{<<"type">>, <<"groupchat">>}, {<<"sender">>, mod_rouse_classify:bare(From)}, {<<"nickname">>, mod_rouse_classify:resource(From)} | Text];
	_ -> [{<<"type">>, <<"chat">>}, {<<"sender">>, mod_rouse_classify:bare(From)} | Text]
    end].

%% At most so many bytes, cut between characters.
cut(Text, Max) when byte_size(Text) =< Max -> Text;
cut(Text, Max) ->
    case binary:at(Text, Max) of
	C when Max > 0, C >= 16#80, C < 16#C0 -> cut(Text, Max - 1);
	_ -> binary:part(Text, 0, Max)
    end.

json(Said) ->
    iolist_to_binary([${, lists:join($,, [[text(Name), $:, value(Value)] || {Name, Value} <- Said]), $}]).

value(N) when is_integer(N) -> integer_to_binary(N);
value(List) when is_list(List) -> [$[, lists:join($,, [text(V) || V <- List]), $]];
value(Text) -> text(Text).

text(Text) -> [$", << <<(escaped(C))/binary>> || <<C>> <= Text >>, $"].

escaped($") -> <<"\\\"">>;
escaped($\\) -> <<"\\\\">>;
escaped(C) when C < 16#20 -> iolist_to_binary(io_lib:format("\\u~4.16.0b", [C]));
escaped(C) -> <<C>>.
