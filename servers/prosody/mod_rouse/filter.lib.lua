-- What a client says in <enable/> of what its device is not to be woken for (docs/events.md, "Filter"): as Tigase's clients
-- say it, or in more detail as rouse has it. Who is who stays here: rouse gets names of chats.

local jid_bare = require "util.jid".bare;

local xmlns = "rouse:filter:0";
local max_chats = 200;

local lib = {};

lib.features = {
	xmlns, "tigase:push:filter:muted:0", "tigase:push:filter:groupchat:0", "tigase:push:filter:ignore-unknown:0",
	"tigase:push:priority:0", "tigase:push:away:0", "tigase:push:jingle:0",
};

local lists = { "muted", "always", "mentioned", "never" };
local allowed = { always = true; mentioned = true; never = true };

local function fits(value, pattern) return value and #value <= 64 and value:match(pattern); end

-- chat_with(account, bare JID) names a chat; called(room, nick) is told what the user is called in a room.
-- Gives attributes, or nil if nothing is said.
function lib.of(enable, account, chat_with, called)
	local attr, found, left = {}, false, max_chats;
	local names = { muted = {}, always = {}, mentioned = {}, never = {} };

	local function add(list, whom)
		local chat = left > 0 and chat_with(account, jid_bare(whom));
		if chat then
			left = left - 1;
			table.insert(names[list], chat);
		end
	end
	local function add_room(tag)
		local room, nick = jid_bare(tag.attr.jid), tag.attr.nick;
		if not room then return; end
		add(allowed[tag.attr.allow] and tag.attr.allow or "always", room);
		if nick and nick ~= "" then called(room, nick); end
	end
	local function says(name, space)
		local tag = enable:get_child(name, space);
		found = found or tag ~= nil;
		return tag;
	end

	local muted = says("muted", "tigase:push:filter:muted:0");
	if muted then
		for tag in muted:childtags("item") do add("muted", tag.attr.jid); end
	end
	local rooms = says("groupchat", "tigase:push:filter:groupchat:0");
	if rooms then
		attr.groups = "never"; -- the client lists the others
		for tag in rooms:childtags("room") do add_room(tag); end
	end
	if says("ignore-unknown", "tigase:push:filter:ignore-unknown:0") then attr.known = "true"; end
	if says("priority", "tigase:push:priority:0") then attr.priority = "true"; end

	local ours = says("filter", xmlns);
	if ours then
		for _, name in ipairs { "known", "calls" } do
			if ours.attr[name] == "true" or ours.attr[name] == "1" then attr[name] = "true"; end
		end
		if allowed[ours.attr.groups] then attr.groups = ours.attr.groups; end
		attr.quiet = fits(ours.attr.quiet, "^%d%d:%d%d%-%d%d:%d%d$");
		attr.zone = attr.quiet and fits(ours.attr.zone, "^[%w/_+-]+$");
		attr["until"] = fits(ours.attr["until"], "^%d%d%d%d%-%d%d%-%d%dT[%d:.]+[Z%d:+-]+$");
		attr.grace = fits(ours.attr.grace, "^%d%d?%d?$");
		for tag in ours:childtags("muted") do add("muted", tag.attr.jid); end
		for tag in ours:childtags("room") do add_room(tag); end
	end

	for _, list in ipairs(lists) do
		if names[list][1] then attr[list] = table.concat(names[list], " "); end
	end
	return found and attr or nil;
end

return lib;
