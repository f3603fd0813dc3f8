%% One connection for rouse's component: the newest. ejabberd would take several and deal stanzas out to all of them, so that
%% a rouse that hangs swallows its share; and which rouse may connect is settled among them (docs/many-machines.md).
-module(mod_rouse_link).

-export([route_up/1]).

-include("logger.hrl").

%% Runs in the process of the new connection, before mod_rouse_queue is told of it.
route_up(Domain) ->
    mod_rouse:guard(link, ok,
		    fun() ->
			    Pids = mod_rouse_hold:connections(Domain),
			    case lists:member(self(), Pids) andalso is_rouse(Domain) of
				true -> [close(Domain, Pid) || Pid <- Pids, Pid /= self()], ok;
				false -> ok
			    end
		    end).

is_rouse(Domain) ->
    lists:any(fun(Host) -> mod_rouse:component(Host) == Domain end, ejabberd_option:hosts()).

%% The route goes first. A process whose peer does not read may be stuck in sending, and would not hear a request to end;
%% and its component_disconnected would take from the new connection what mod_privilege and mod_delegation gave it.
close(Domain, Pid) ->
    ?INFO_MSG("mod_rouse: ~ts has a new connection, the old one (~p) is closed", [Domain, Pid]),
    ejabberd_router:unregister_route(Domain, Pid),
    exit(Pid, kill).
