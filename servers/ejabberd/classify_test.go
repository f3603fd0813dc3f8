package ejabberd_test

import (
	"os"
	"os/exec"
	"testing"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

// classifier prints class, key and what is said of a chat for each line of XML on
// stdin, with ejabberd's own libraries: class and key of the stanza as it came, and as
// ejabberd's hooks have it.
const classifier = `
{ok, _} = application:ensure_all_started(xmpp),
NickIn = fun(<<"hall@rooms.example">>) -> <<"Jule">>; (_) -> undefined end,
Me = <<"juliet@example.org">>,
Of = fun(Stanza) ->
	{{about, Class, Key, _, Chat, _, _}, _} = mod_rouse_classify:about_and_sender(Stanza, Me, NickIn),
	{Chat, io_lib:format("~s\t~s", [Class, case Key of undefined -> "-"; _ -> Key end])}
end,
Says = fun(Chat, Stanza) ->
	IsMessage = element(1, Stanza) == message,
	Mine = case xmpp:get_from(Stanza) of undefined -> false; From -> jid:encode(From) == <<"juliet@example.org/p">> end,
	Retracted = IsMessage andalso mod_rouse_classify:retracted(Stanza, Me),
	Taken = IsMessage andalso mod_rouse_classify:taken(Stanza, Me),
	Read = mod_rouse_classify:read(Stanza, Me),
	if not Mine, is_binary(Chat) -> ["chat ", Chat];
	   not Mine, is_binary(Retracted) -> ["retracted ", Retracted];
	   Mine, is_binary(Taken) -> ["taken ", Taken];
	   Mine, Read /= [] ->
		{about, _, To, Tag, What, _, _} = hd(Read),
		["read ", What, [[" ", X] || X <- [To, Tag], X /= undefined]];
	   true -> "-"
	end
end,
ok = io:setopts([binary, {encoding, unicode}]),
Next = fun(Next) ->
	case io:get_line("") of
		eof -> halt(0);
		Line ->
			El = fxml_stream:parse_element(string:trim(Line)),
			Decoded = xmpp:decode(El, <<"jabber:client">>, [ignore_els]),
			case {Of(El), Of(Decoded)} of
				{{Chat, Same}, {Chat, Same}} -> io:format("~s\t~s~n", [Same, Says(Chat, Decoded)]);
				{Raw, Other} -> io:format("~p; decoded ~p~n", [Raw, Other])
			end,
			Next(Next)
	end
end,
Next(Next).
`

func TestClassify(t *testing.T) {
	t.Parallel()
	libs, err := lab.EjabberdLibraries()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("erl", "+S", "1:1", "-noshell", "-pa", ebin, "-eval", classifier)
	cmd.Env = append(os.Environ(), "ERL_LIBS="+libs)
	servertest.Classified(t, cmd)
}
