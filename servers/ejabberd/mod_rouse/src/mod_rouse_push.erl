%% The registrations that mod_push keeps, seen from outside; its triggers, which are taken out while rouse decides; and
%% publishes in its place.
-module(mod_rouse_push).

-export([silence/1, restore/1, silenced/1, about/4, about_nothing/0, filter/1, notification/2]).
-export([requested/1, stored/2, registered/2, users/1, endpoint/1, publish/2, hex/1]).

-include("logger.hrl").
-include("xmpp.hrl").
-include("mod_push.hrl").
-include("mod_rouse.hrl").

-import(mod_rouse, [guard/3]).

-define(MAX_ASKED, 1000). % what clients ask in one breath

%% --- The stock triggers.

%% Without them mod_push never publishes for a stanza, and mod_push_keepalive does not take a stanza for a publish. The
%% rest of both stays: registrations, service discovery, hibernation for days.
triggers() ->
    [{c2s_session_pending, mod_push, c2s_session_pending, 50},
     {c2s_handle_send, mod_push, c2s_stanza, 50},
     {store_mam_message, mod_push, mam_message, 50},
     {offline_message_hook, mod_push, offline_message, 55},
     {c2s_handle_send, mod_push_keepalive, c2s_stanza, 50}].

silence(Host) ->
    mod_rouse_table:note(Host, silenced, true),
    [ejabberd_hooks:delete(Hook, Host, Module, Function, Seq) || {Hook, Module, Function, Seq} <- triggers()],
    ok.

restore(Host) ->
    mod_rouse_table:note(Host, silenced, false),
    [ejabberd_hooks:add(Hook, Host, Module, Function, Seq)
     || {Hook, Module, Function, Seq} <- triggers(), gen_mod:is_loaded(Host, Module)],
    ok.

silenced(Host) -> mod_rouse_table:noted(Host, silenced).

%% --- What mod_push publishes by itself. It does so in the process where the stanza is, so a note left there says what
%% the publish is about: [{Class, Key, Out}].

about(Host, User, Sid, About) ->
    case silenced(Host) of
	true -> ok;
	_ -> put(rouse_about, {User, Sid, About}), ok
    end.

about_nothing() -> erase(rouse_about), ok.

%% What it publishes to rouse, rouse knows already or will learn from the queue. What it publishes to others, rouse must
%% know when it is back, or the device is woken twice.
filter(#iq{type = set, id = ID, from = #jid{luser = <<>>, lserver = Host}, to = To,
	   sub_els = [#pubsub{publish = #ps_publish{node = Node, items = [#ps_item{sub_els = [#push_notification{}]} | _]}}]} = IQ) ->
    guard(publish, IQ,
	  fun() ->
		  case mod_rouse:component(Host) == To#jid.lserver of
		      true -> drop;
		      false ->
			  case get(rouse_about) of
			      {User, Sid, About} ->
				  mod_rouse_queue:published(Host, ID, User, Sid, jid:encode(To), Node, About);
			      undefined -> ok
			  end,
			  IQ
		  end
	  end);
%% mod_push gives up a registration at the first error that does not say wait.
filter(#iq{type = error, id = ID, to = #jid{luser = <<>>, lserver = Host}} = IQ) ->
    guard(publish, ok, fun() -> mod_rouse:component(Host) /= undefined andalso mod_rouse_queue:publish_failed(Host, ID) end),
    IQ;
filter(Packet) -> Packet.

%% Newer ejabberd asks before it publishes.
notification(#iq{from = #jid{lserver = Host}, to = To} = IQ, _About) ->
    guard(publish, IQ,
	  fun() ->
		  case mod_rouse:component(Host) == To#jid.lserver of
		      true -> drop;
		      false -> IQ
		  end
	  end);
notification(Acc, _) -> Acc.

%% --- Registrations.

%% A client asks for <enable/> or <disable/>: what was stored before shows what has come of it. mod_push does it for the
%% one who asks, whatever account of the host is addressed.
requested({#iq{type = set, sub_els = [El], to = To} = IQ, #{jid := #jid{luser = User, lserver = Host}} = State} = Acc)
  when To == undefined; To#jid.lserver == Host ->
    guard(push, Acc,
	  fun() ->
		  case xmpp:get_ns(El) == ?NS_PUSH_0 andalso asked_for(El) of
		      false -> Acc;
		      Wanted0 ->
			  Wanted = [{Service, Node, {mod_rouse_filter:chosen(El, User, Host), El}} || {Service, Node} <- Wanted0],
			  {Before, All} = maps:get(rouse_asked, State, {[], []}),
			  Now = [{Service, Node} || {_, Service, Node, _} <- registrations(Host, User)],
			  {IQ, State#{rouse_asked => {lists:usort(Now ++ Before), lists:sublist(Wanted ++ All, ?MAX_ASKED)}}}
		  end
	  end);
requested(Acc) -> Acc.

%% What mod_push will not even look at is none of ours.
asked_for(El) ->
    try xmpp:decode(El) of
	#push_enable{node = <<>>} -> false;
	#push_enable{jid = Service, node = Node} -> [{jid:tolower(Service), Node}];
	#push_disable{} -> []
    catch _:_ -> false
    end.

%% mod_push tells the client's process what it did, and has done it when the process looks. It may have done several.
stored(#{rouse_asked := {Before, Wanted}, jid := #jid{luser = User, lserver = Host, lresource = Resource}} = State, Msg)
  when Msg == push_disable; element(1, Msg) == push_enable ->
    guard(push, State,
	  fun() ->
		  After = registrations(Host, User),
		  [gone(Host, User, Service, Node) || {Service, Node} <- Before, not is_stored(Service, Node, After)],
		  case State of
		      #{rouse := #{sid := Sid}} ->
			  [mod_rouse_queue:report(Host, <<"enable">>, User, Sid, [{<<"resource">>, Resource} | endpoint(R)], said(Host, User, R, Chosen))
			   || {_, Service, Node, _} = R <- After, {_, {S, N, Chosen}} <- last_word(Wanted), S == Service, N == Node];
		      _ -> ok
		  end,
		  maps:remove(rouse_asked, State)
	  end);
stored(State, _) -> State.

%% The client may have asked for one several times; the last time comes first.
last_word(Wanted) -> lists:ukeysort(1, [{{Service, Node}, W} || {Service, Node, _} = W <- Wanted]).

said(Host, User, {_, Service, Node, _}, {Chosen, El}) ->
    mod_rouse_seal:enabled(Host, User, jid:encode(Service), Node, El),
    [{<<"filter">>, Chosen} || Chosen /= undefined].

is_stored(Service, Node, Registrations) ->
    lists:any(fun({_, S, N, _}) -> S == Service andalso N == Node end, Registrations).

gone(Host, User, Service, Node) ->
    mod_rouse_seal:gone(Host, User, jid:encode(Service), Node),
    mod_rouse_queue:report(Host, <<"disable">>, User, undefined, [{<<"service">>, jid:encode(Service)}, {<<"node">>, Node}], []).

%% What is stored for the user: {ID, Service, Node, Options}.
registrations(Host, User) ->
    case gen_mod:is_loaded(Host, mod_push) of
	false -> [];
	true ->
	    Mod = gen_mod:db_mod(Host, mod_push),
	    case Mod:lookup_sessions(User, Host) of
		{ok, List} -> List;
		{error, Why} -> error({cannot_read_push_registrations, Why})
	    end
    end.

%% The same, as rows: the ID and the attributes of an endpoint.
registered(Host, User) -> [{ID, endpoint(R)} || {ID, _, _, _} = R <- registrations(Host, User)].

endpoint({_, Service, Node, Options}) ->
    [{<<"service">>, jid:encode(Service)}, {<<"node">>, Node}, {<<"secret">>, fingerprint(Options)},
     {<<"module">>, push_module(Options)}].

fingerprint(Options) ->
    case option(<<"secret">>, Options) of
	undefined -> undefined;
	Secret -> hex(binary:part(crypto:hash(sha256, Secret), 0, 16))
    end.

%% Which app of a push service a device token is for, where nobody registers (fpush).
push_module(Options) ->
    case option(<<"pushModule">>, Options) of
	Name when is_binary(Name), byte_size(Name) =< 64 -> Name;
	_ -> undefined
    end.

option(Name, #xdata{fields = Fields}) ->
    case [V || #xdata_field{var = Var, values = [V | _]} <- Fields, Var == Name] of
	[Value | _] -> Value;
	[] -> undefined
    end;
option(_, _) -> undefined.

%% Accounts that have registrations.
users(Host) ->
    case gen_mod:is_loaded(Host, mod_push) andalso gen_mod:db_mod(Host, mod_push) of
	false -> [];
	mod_push_mnesia ->
	    lists:usort(mnesia:dirty_select(push_session, [{#push_session{us = {'$1', Host}, _ = '_'}, [], ['$1']}]));
	mod_push_sql ->
	    Where = case ejabberd_sql:use_new_schema() of
			true -> [<<" where server_host=">>, ejabberd_sql:to_string_literal_t(Host)];
			false -> []
		    end,
	    case ejabberd_sql:sql_query(Host, iolist_to_binary([<<"select distinct username from push_session">> | Where])) of
		{selected, _, Rows} -> [User || [User] <- Rows];
		Other -> error({cannot_read_push_registrations, Other})
	    end
    end.

%% --- A publish that rouse asks for.

%% The request that goes to the service, or the type and condition of an error.
publish(Host, Ask) ->
    Attr = fun(Name) -> proplists:get_value(Name, Ask, <<>>) end,
    case {Attr(<<"wake">>), Attr(<<"user">>), Attr(<<"service">>)} of
	{W, U, S} when W == <<>>; U == <<>>; S == <<>> -> {modify, 'bad-request'};
	{_, User, Service} ->
	    Found = [R || {_, To, Node, _} = R <- registrations(Host, User),
			  jid:encode(To) == Service, Node == Attr(<<"node">>)],
	    case Found of
		[] -> {cancel, 'item-not-found'};
		[{_, To, Node, Options} | _] ->
		    Encrypted = mod_rouse_seal:encrypted(Host, User, Service, Node, Attr(<<"class">>)),
		    Item = #ps_item{sub_els = [notification(summary(Host, User, Ask), Encrypted, Attr(<<"priority">>))]},
		    #iq{type = set, from = jid:make(Host), to = jid:make(To),
			sub_els = [#pubsub{publish = #ps_publish{node = Node, items = [Item]}, publish_options = Options}]}
	    end
    end.

%% rouse says what may leave the host.
summary(Host, User, Ask) ->
    Attr = fun(Name) -> proplists:get_value(Name, Ask, <<>>) end,
    Class = Attr(<<"class">>),
    Count = try binary_to_integer(Attr(<<"count">>)) catch _:_ -> 1 end,
    Counted = case Class of
		  <<"subscription">> -> 'pending-subscription-count';
		  _ -> 'message-count'
	      end,
    Sender = case Attr(<<"sender">>) of
		 <<"true">> -> mod_rouse_nodes:sender(Host, User, Class);
		 _ -> undefined
	     end,
    Fields = [{Counted, Count}]
	++ [{'last-message-sender', jid:decode(Sender)} || Sender /= undefined]
	++ [{'last-message-body', Body} || Body <- [Attr(<<"body">>)], Body /= <<>>],
    #xdata{type = submit, fields = push_summary:encode(Fields)}.

%% As most push services know it; or with what only the app can read in place of the form, and how urgent it is (Tigase's).
notification(Form, undefined, <<>>) -> #push_notification{xdata = Form};
notification(Form, Encrypted, Priority) ->
    #xmlel{children = Els} = El = xmpp:encode(#push_notification{xdata = Form}),
    Said = case Encrypted of
	       undefined -> Els;
	       _ -> [Encrypted]
	   end,
    El#xmlel{children = Said ++ [#xmlel{name = <<"priority">>, attrs = [{<<"xmlns">>, <<"tigase:push:priority:0">>}], children = [{xmlcdata, Priority}]}
				 || Priority /= <<>>]}.

hex(Bytes) -> << <<(digit(C))>> || <<C:4>> <= Bytes>>.

digit(N) when N < 10 -> $0 + N;
digit(N) -> $a + N - 10.
