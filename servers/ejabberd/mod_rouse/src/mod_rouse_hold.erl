%% Stands in for rouse's component while it is away. ejabberd would look for the domain on the internet, and the `cancel`
%% that comes of it makes mod_push delete the registration.
-module(mod_rouse_hold).

-export([hold/2, release/1, is_connected/1, route/1]).

-include("xmpp.hrl").
-include("ejabberd_router.hrl").

%% Routes to this module belong to the process that holds; only it can release them.
hold(Component, Host) ->
    ejabberd_router:register_route(Component, Host, {apply, ?MODULE, route}).

release(Component) ->
    ejabberd_router:unregister_route(Component).

%% Whether somebody else serves the domain, on any node.
is_connected(Component) ->
    lists:any(fun(#route{local_hint = {apply, ?MODULE, route}}) -> false;
		 (#route{pid = Pid}) when is_pid(Pid), node(Pid) == node() -> is_process_alive(Pid);
		 (#route{}) -> true
	      end, routes(Component)).

routes(Component) ->
    Mod = list_to_existing_atom("ejabberd_router_" ++ atom_to_list(ejabberd_option:router_db_type())),
    case Mod:find_routes(Component) of
	{ok, Routes} -> Routes;
	{error, _} -> []
    end.

%% Runs where the stanza comes from. Requests are put off, everything else is dropped.
route(#iq{type = T} = IQ) when T == get; T == set ->
    Err = xmpp:err_service_unavailable(<<"rouse is away">>, <<"en">>),
    ejabberd_router:route_error(IQ, Err#stanza_error{type = wait});
route(_) -> ok.
