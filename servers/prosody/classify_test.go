package prosody_test

import (
	"encoding/xml"
	"os/exec"
	"strings"
	"testing"

	"rouse/servers/servertest"
)

// classifier prints class and key for each line of XML on stdin, with Prosody's own libraries.
const classifier = `
package.path, package.cpath = "/usr/lib/prosody/?.lua;"..package.path, "/usr/lib/prosody/?.so;"..package.cpath
local parse = require "util.xml".parse
local lib = dofile("mod_rouse/classify.lib.lua")
for line in io.lines() do
	local stanza = assert(parse(line))
	stanza.attr.xmlns = nil
	print(lib.class(stanza, "juliet@example.org").."\t"..tostring(lib.key(stanza, "juliet@example.org")))
end
`

func TestClassify(t *testing.T) {
	t.Parallel()
	const (
		me      = "juliet@example.org"
		from    = `<message from='romeo@example.net/o' to='juliet@example.org' type='chat' id='m1'>`
		plain   = "i:romeo@example.net/o chat m1"
		room    = `<message from='hall@rooms.example/romeo' to='juliet@example.org/p' type='groupchat' id='g1'>`
		roomKey = "i:hall@rooms.example/romeo groupchat g1"
		end     = "</message>"
		body    = "<body>Art thou not Romeo?</body>"
		sid     = "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@example.org' id='a1'/>"
	)
	wrap := func(by, direction, inner string) string {
		inner = strings.Replace(inner, "<message ", "<message xmlns='jabber:client' ", 1)
		return `<message from='` + by + `' to='juliet@example.org/p'><` + direction + ` xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>` + inner + `</forwarded></` + direction + `></message>`
	}
	archive := func(inner string) string {
		inner = strings.Replace(inner, "<message ", "<message xmlns='jabber:client' ", 1)
		return `<message to='juliet@example.org/p'><result xmlns='urn:xmpp:mam:2' id='a9'><forwarded xmlns='urn:xmpp:forward:0'>` + inner + `</forwarded></result></message>`
	}
	mention := func(uri string) string {
		return room + body + `<reference xmlns='urn:xmpp:reference:0' type='mention' uri='` + uri + `'/>` + end
	}
	cases := []struct{ name, stanza, class, key string }{
		{"body", from + body + end, "message", plain},
		{"archived", from + body + sid + end, "message", "s:a1"},
		{"archived by somebody else", from + body + "<stanza-id xmlns='urn:xmpp:sid:0' by='hall@rooms.example' id='x'/>" + end, "message", plain},
		{"without id", "<message from='romeo@example.net/o' to='juliet@example.org'>" + body + end, "message", "nil"},
		{"without type", "<message from='romeo@example.net/o' to='juliet@example.org' id='m1'>" + body + end, "message", "i:romeo@example.net/o  m1"},
		{"empty body", from + "<body/>" + end, "nothing", plain},
		{"chat state", from + "<composing xmlns='http://jabber.org/protocol/chatstates'/>" + end, "nothing", plain},
		{"receipt", from + "<received xmlns='urn:xmpp:receipts' id='x'/>" + end, "nothing", plain},
		{"marker", from + "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>" + end, "nothing", plain},
		{"OMEMO", from + "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/><payload>cA==</payload></encrypted>" + end, "message", plain},
		{"OMEMO 2", from + "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/><payload>cA==</payload></encrypted>" + end, "message", plain},
		{"OMEMO key transport", from + "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>" + end, "nothing", plain},
		{"XEP-0373", from + "<openpgp xmlns='urn:xmpp:openpgp:0'>cA==</openpgp>" + end, "message", plain},
		{"XEP-0027", from + "<x xmlns='jabber:x:encrypted'>cA==</x>" + end, "message", plain},
		{"headline", strings.Replace(from, "chat", "headline", 1) + body + end, "nothing", "i:romeo@example.net/o headline m1"},
		{"error", strings.Replace(from, "chat", "error", 1) + body + end, "nothing", "i:romeo@example.net/o error m1"},
		{"call", from + "<propose xmlns='urn:xmpp:jingle-message:0' id='c'/>" + sid + end, "call", "s:a1"},
		{"call that is over", from + "<retract xmlns='urn:xmpp:jingle-message:0' id='c'/>" + end, "nothing", plain},
		{"direct invitation", from + "<x xmlns='jabber:x:conference' jid='hall@rooms.example'/>" + end, "message", plain},
		{"mediated invitation", from + "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='romeo@example.net'/></x>" + end, "message", plain},
		{"room", room + body + end, "group", roomKey},
		{"room, encrypted", room + "<encrypted xmlns='eu.siacs.conversations.axolotl'><payload>cA==</payload></encrypted>" + end, "group", roomKey},
		{"subject", room + "<subject>Verona</subject>" + end, "nothing", roomKey},
		{"mention", mention("xmpp:" + me), "mention", roomKey},
		{"mention, escaped", mention("xmpp:juliet%40example.org?message"), "mention", roomKey},
		{"mention of another", mention("xmpp:nurse@example.org"), "group", roomKey},
		{"carbon", wrap(me, "received", from+body+end), "message", plain},
		{"carbon, archived", wrap(me, "received", from+body+sid+end), "message", "s:a1"},
		{"carbon of a receipt", wrap(me, "received", from+"<received xmlns='urn:xmpp:receipts' id='x'/>"+end), "nothing", plain},
		{"own carbon", wrap(me, "sent", "<message from='juliet@example.org/d' to='romeo@example.net' type='chat' id='o'>"+body+end), "nothing", "nil"},
		{"forged carbon", wrap("mallory@example.net", "received", from+body+end), "nothing", "nil"},
		{"from the archive", archive(from + body + end), "message", "s:a9"},
		{"own, from the archive", archive("<message from='juliet@example.org/d' to='romeo@example.net' type='chat' id='o'>" + body + end), "nothing", "s:a9"},
		{"own words", "<message from='juliet@example.org/d' to='juliet@example.org' type='chat' id='o'>" + body + end, "nothing", "i:juliet@example.org/d chat o"},
		{"subscription", "<presence from='romeo@example.net' to='juliet@example.org' type='subscribe' id='p1'/>", "subscription", "i:romeo@example.net subscribe p1"},
		{"presence", "<presence from='romeo@example.net/o' to='juliet@example.org'/>", "nothing", "nil"},
		{"request", "<iq from='romeo@example.net/o' to='juliet@example.org/p' type='get' id='q'/>", "nothing", "i:romeo@example.net/o get q"},
	}
	var in strings.Builder
	for _, c := range cases {
		if err := xml.Unmarshal([]byte(c.stanza), new(servertest.Element)); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		in.WriteString(c.stanza + "\n")
	}
	cmd := exec.Command("lua5.4", "-e", classifier)
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(cases) {
		t.Fatalf("%d answers to %d stanzas: %s", len(lines), len(cases), out)
	}
	for i, c := range cases {
		if want := c.class + "\t" + c.key; lines[i] != want {
			t.Errorf("%s: %q, want %q", c.name, lines[i], want)
		}
	}
}
