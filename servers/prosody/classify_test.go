package prosody_test

import (
	"os/exec"
	"testing"

	"rouse/servers/servertest"
)

// classifier prints class and key for each line of XML on stdin, with Prosody's own libraries.
const classifier = `
package.path, package.cpath = "/usr/lib/prosody/?.lua;"..package.path, "/usr/lib/prosody/?.so;"..package.cpath
local parse = require "util.xml".parse
local lib = dofile("mod_rouse/classify.lib.lua")
local function nick_in(room) return room == "hall@rooms.example" and "Jule" or nil; end
for line in io.lines() do
	local stanza = assert(parse(line))
	stanza.attr.xmlns = nil
	print(lib.class(stanza, "juliet@example.org", nick_in).."\t"..(lib.key(stanza, "juliet@example.org") or "-"))
end
`

func TestClassify(t *testing.T) {
	t.Parallel()
	servertest.Classified(t, exec.Command("lua5.4", "-e", classifier))
}
