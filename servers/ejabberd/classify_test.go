package ejabberd_test

import (
	"os"
	"os/exec"
	"testing"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

// classifier prints class and key for each line of XML on stdin, with ejabberd's
// own libraries: of the stanza as it came, and as ejabberd's hooks have it.
const classifier = `
{ok, _} = application:ensure_all_started(xmpp),
NickIn = fun(<<"hall@rooms.example">>) -> <<"Jule">>; (_) -> undefined end,
Of = fun(Stanza) ->
	{Class, Key, _, _} = mod_rouse_classify:class_key_tag_and_sender(Stanza, <<"juliet@example.org">>, NickIn),
	io_lib:format("~s\t~s", [Class, case Key of undefined -> "-"; _ -> Key end])
end,
ok = io:setopts([binary, {encoding, unicode}]),
Next = fun(Next) ->
	case io:get_line("") of
		eof -> halt(0);
		Line ->
			El = fxml_stream:parse_element(string:trim(Line)),
			case {Of(El), Of(xmpp:decode(El, <<"jabber:client">>, [ignore_els]))} of
				{Same, Same} -> io:format("~s~n", [Same]);
				{Raw, Decoded} -> io:format("~s; decoded ~s~n", [Raw, Decoded])
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
