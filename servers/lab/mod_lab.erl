%% Lets a test look into the ejabberd that it runs: the command lab_eval evaluates Erlang. Never for a server of others.
-module(mod_lab).
-behaviour(gen_mod).
-export([start/2, stop/1, reload/3, depends/2, mod_options/1, mod_doc/0, eval/1]).
-include("ejabberd_commands.hrl").

start(_Host, _Opts) -> ejabberd_commands:register_commands(?MODULE, commands()).
stop(_Host) -> ejabberd_commands:unregister_commands(commands()).
reload(_Host, _New, _Old) -> ok.
depends(_Host, _Opts) -> [].
mod_options(_Host) -> [].
mod_doc() -> #{}.

commands() ->
    [#ejabberd_commands{name = lab_eval, tags = [server], module = ?MODULE, function = eval,
			args = [{code, binary}], result = {value, string}}].

eval(Code) ->
    {ok, Tokens, _} = erl_scan:string(binary_to_list(Code)),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    {value, Value, _} = erl_eval:exprs(Expressions, []),
    lists:flatten(io_lib:format("~0p", [Value])).
