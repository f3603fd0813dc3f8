package prosody_test

import (
	"os/exec"
	"testing"

	"rouse/servers/servertest"
)

// classifier prints class, key and what is said of a chat for each line of XML on
// stdin, with Prosody's own libraries.
const classifier = `
package.path, package.cpath = "/usr/lib/prosody/?.lua;"..package.path, "/usr/lib/prosody/?.so;"..package.cpath
local parse = require "util.xml".parse
local lib = dofile("mod_rouse/classify.lib.lua")
local function nick_in(room) return room == "hall@rooms.example" and "Jule" or nil; end
local me = "juliet@example.org"
local function says(stanza, class)
	if stanza.attr.from ~= me.."/p" then
		local chat, retracted = class ~= "nothing" and lib.chat(stanza, me), lib.retracted(stanza, me)
		return chat and "chat "..chat or retracted and "retracted "..retracted or "-"
	end
	local taken, read = lib.taken(stanza, me), lib.read(stanza, me)[1]
	if taken then return "taken "..taken; end
	if read then return table.concat({ "read", read.chat, read.key or read.tag }, " "); end
	return "-"
end
for line in io.lines() do
	local stanza = assert(parse(line))
	stanza.attr.xmlns = nil
	local class = lib.class(stanza, me, nick_in)
	print(class.."\t"..(lib.key(stanza, me) or "-").."\t"..says(stanza, class))
end
`

func TestClassify(t *testing.T) {
	t.Parallel()
	servertest.Classified(t, exec.Command("lua5.4", "-e", classifier))
}
