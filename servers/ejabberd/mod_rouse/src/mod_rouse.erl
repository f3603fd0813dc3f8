%% Reports to rouse what happens to sessions, and to the stanzas that did not reach a screen (docs/events.md), and does
%% what rouse asks for. mod_push stays the registrar; it publishes only while rouse takes nothing.
-module(mod_rouse).
-behaviour(gen_mod).

-export([start/2, stop/1, reload/3, depends/2, mod_options/1, mod_opt_type/1, mod_doc/0]).
-export([process_iq/1, decode_iq_subel/1]).
-export([component/1, component/2, ack_delay/1, guard/3, failed/4]).

-include("logger.hrl").
-include("xmpp.hrl").
-include("mod_rouse.hrl").

%% --- What ejabberd calls.

start(Host, Opts) ->
    warn(Host, Opts),
    mod_rouse_seal:start(),
    case mod_rouse_queue:start(Host, Opts) of
	{ok, _} ->
	    [ejabberd_hooks:add(Hook, Host, Module, Function, Seq) || {Hook, Module, Function, Seq} <- hooks()],
	    [ejabberd_hooks:add(Hook, Module, Function, Seq) || {Hook, Module, Function, Seq} <- global_hooks()],
	    %% The feature rouse:events:0 comes with the handler.
	    gen_iq_handler:add_iq_handler(ejabberd_local, Host, ?NS_ROUSE, ?MODULE, process_iq),
	    mod_rouse_queue:hello(Host),
	    ok;
	{error, Why} ->
	    {error, Why}
    end.

stop(Host) ->
    gen_iq_handler:remove_iq_handler(ejabberd_local, Host, ?NS_ROUSE),
    [ejabberd_hooks:delete(Hook, Host, Module, Function, Seq) || {Hook, Module, Function, Seq} <- hooks()],
    gen_mod:is_loaded_elsewhere(Host, ?MODULE) orelse
	[ejabberd_hooks:delete(Hook, Module, Function, Seq) || {Hook, Module, Function, Seq} <- global_hooks()],
    mod_rouse_queue:stop(Host).

reload(Host, New, Old) ->
    case component(Host, New) == component(Host, Old) of
	true -> mod_rouse_queue:reload(Host, New);
	false ->
	    stop(Host),
	    start(Host, New)
    end.

depends(_Host, _Opts) ->
    [{mod_push, hard}, {mod_push_keepalive, soft}, {mod_stream_mgmt, soft}].

%% The order within a hook: mod_push and mod_stream_mgmt are at 50, mod_mam at 49, 50 and 88, mod_offline at 50, mod_push
%% for offline messages at 55, ejabberd's own at 100.
hooks() ->
    [{c2s_session_opened, mod_rouse_session, opened, 90},
     {c2s_copy_session, mod_rouse_session, copied, 90},
     {c2s_session_resumed, mod_rouse_session, resumed, 90},
     {c2s_session_pending, mod_rouse_session, pending, 40},
     {c2s_session_pending, mod_rouse_session, stretch, 90},
     {csi_activity, mod_rouse_session, csi, 90},
     {c2s_handle_send, mod_rouse_session, before_send, 40},
     {c2s_handle_send, mod_rouse_session, after_send, 90},
     {c2s_handle_recv, mod_rouse_session, received, 90},
     {c2s_handle_cdata, mod_rouse_session, cdata, 90},
     {c2s_handle_info, mod_rouse_session, info, 10},
     {c2s_terminated, mod_rouse_session, dying, 40},
     {c2s_terminated, mod_rouse_session, dead, 110},
     {store_mam_message, mod_rouse_stanza, archived, 40},
     {store_mam_message, mod_rouse_stanza, archived_after, 90},
     {offline_message_hook, mod_rouse_stanza, offline, 53},
     {offline_message_hook, mod_rouse_stanza, offline_after, 57},
     {bounce_sm_packet, mod_rouse_stanza, bounced, 40},
     {roster_in_subscription, mod_rouse_stanza, subscribed, 90},
     {user_receive_packet, mod_rouse_stanza, user_receive, 95},
     {user_send_packet, mod_rouse_stanza, user_send, 40},
     {user_send_packet, mod_rouse_push, requested, 95},
     {c2s_handle_cast, mod_rouse_push, stored, 45},
     {push_send_notification, mod_rouse_push, notification, 90},
     {disco_sm_features, mod_rouse_filter, features, 90},
     {remove_user, mod_rouse_stanza, deleted, 110}].

global_hooks() ->
    [{filter_packet, mod_rouse_push, filter, 90},
     {route_registered, mod_rouse_link, route_up, 40},
     {route_registered, mod_rouse_queue, route_up, 50},
     {route_unregistered, mod_rouse_queue, route_down, 50}].

%% --- Options.

mod_opt_type(component) -> econf:binary();
mod_opt_type(ack_delay) -> econf:timeout(second);
mod_opt_type(fallback) -> econf:timeout(second);
mod_opt_type(max_queue) -> econf:int(100, 10000000);
mod_opt_type(batch) -> econf:int(1, 1000);
mod_opt_type(answer_timeout) -> econf:timeout(second).

mod_options(_Host) ->
    [component,
     {ack_delay, timer:seconds(30)},
     {fallback, timer:seconds(30)},
     {max_queue, 10000},
     {batch, 100},
     {answer_timeout, timer:seconds(15)}].

mod_doc() ->
    #{desc => <<"Reports session events to rouse, which decides whose device is woken. It stands beside mod_push.">>,
      opts =>
	  [{component, #{value => <<"Domain">>, desc => <<"Address of rouse's component. @HOST@ stands for the virtual host. Required.">>}},
	   {ack_delay, #{value => <<"timeout()">>, desc => <<"A client that has not acknowledged a stanza for so long is reported. Less than mod_stream_mgmt's ack_timeout.">>}},
	   {fallback, #{value => <<"timeout()">>, desc => <<"Without a batch taken for so long, while something waits, mod_push publishes again.">>}},
	   {max_queue, #{value => <<"100 or more">>, desc => <<"Events that wait for rouse.">>}},
	   {batch, #{value => <<"1 to 1000">>, desc => <<"Events in one request.">>}},
	   {answer_timeout, #{value => <<"timeout()">>, desc => <<"How long to wait for rouse's answer before the request is repeated.">>}}]}.

component(Host, Opts) ->
    case jid:nameprep(misc:expand_keyword(<<"@HOST@">>, gen_mod:get_opt(component, Opts), Host)) of
	Domain when is_binary(Domain), Domain /= <<>> -> Domain;
	_ -> error({mod_rouse, component_is_not_a_domain})
    end.

%% undefined where the module does not run.
component(Host) ->
    case gen_mod:is_loaded(Host, ?MODULE) of
	true -> mod_rouse_table:noted(Host, component);
	false -> undefined
    end.

ack_delay(Host) -> gen_mod:get_module_opt(Host, ?MODULE, ack_delay).

warn(Host, Opts) ->
    Delay = gen_mod:get_opt(ack_delay, Opts),
    case gen_mod:is_loaded(Host, mod_stream_mgmt) andalso mod_stream_mgmt_opt:ack_timeout(Host) of
	Timeout when is_integer(Timeout), Timeout =< Delay ->
	    ?WARNING_MSG("mod_rouse: ack_delay (~B s) is not less than mod_stream_mgmt's ack_timeout (~B s) on ~ts: "
			 "devices are woken only when ejabberd has broken the connection", [Delay div 1000, Timeout div 1000, Host]);
	_ -> ok
    end.

%% --- What rouse asks.

%% The payload stays XML.
decode_iq_subel(El) -> El.

process_iq(#iq{type = Type, from = From, to = #jid{lserver = Host}, sub_els = [#xmlel{name = Name} = El]} = IQ)
  when Type == set; Name == <<"about">> ->
    Rouse = component(Host),
    case jid:tolower(From) of
	{<<>>, Rouse, <<>>} ->
	    case guard(asked, {wait, 'internal-server-error'}, fun() -> asked(Host, El) end) of
		ok -> xmpp:make_iq_result(IQ);
		#xmlel{} = Answer -> xmpp:make_iq_result(IQ, Answer);
		{ErrorType, Condition} -> xmpp:make_error(IQ, #stanza_error{type = ErrorType, reason = Condition})
	    end;
	_ -> xmpp:make_error(IQ, #stanza_error{type = auth, reason = forbidden})
    end;
process_iq(IQ) ->
    xmpp:make_error(IQ, #stanza_error{type = modify, reason = 'bad-request'}).

asked(Host, #xmlel{name = <<"about">>}) ->
    mod_rouse_about:element(Host, mod_rouse_queue:how_it_stands(Host));
asked(Host, #xmlel{name = <<"picture">>} = El) ->
    case fxml:get_tag_attr_s(<<"node">>, El) of
	<<>> -> mod_rouse_queue:picture(Host, [node() | mod_rouse_nodes:others()]);
	Name ->
	    case mod_rouse_nodes:find(Name) of
		[] -> {cancel, 'item-not-found'};
		Nodes -> mod_rouse_queue:picture(Host, Nodes)
	    end
    end;
asked(Host, #xmlel{name = <<"woken">>, children = Els}) ->
    [mod_rouse_queue:woken(Host, fxml:get_tag_attr_s(<<"user">>, El), fxml:get_tag_attr_s(<<"sid">>, El)) || #xmlel{name = <<"session">>} = El <- Els],
    ok;
asked(Host, #xmlel{name = <<"publish">>, attrs = Ask}) ->
    case mod_rouse_push:publish(Host, Ask) of
	#iq{} = IQ ->
	    mod_rouse_queue:publish(Host, proplists:get_value(<<"wake">>, Ask), proplists:get_value(<<"user">>, Ask), IQ);
	Error -> Error
    end;
asked(_, _) -> {cancel, 'feature-not-implemented'}.

%% --- No error of ours may disturb the server.

guard(What, Default, F) ->
    try F()
    catch Class:Reason:Stack ->
	    failed(What, Class, Reason, Stack),
	    Default
    end.

%% Arguments may hold what people write, so only the places are told.
failed(What, Class, Reason, Stack) ->
    Places = [{M, F, if is_list(A) -> length(A); true -> A end, proplists:get_value(line, Info, 0)} || {M, F, A, Info} <- lists:sublist(Stack, 8)],
    ?ERROR_MSG("mod_rouse: error in ~0p: ~s:~0P at ~0p", [What, Class, reason(Reason), 12, Places]).

reason(Reason) when is_tuple(Reason), is_atom(element(1, Reason)) -> element(1, Reason);
reason(Reason) when is_atom(Reason) -> Reason;
reason(_) -> other.
