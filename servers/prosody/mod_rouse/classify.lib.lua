-- What a stanza is worth, and the key that joins the reports about it (docs/events.md, "Class" and "Key").

local jid_bare = require "util.jid".bare;
local sha256 = require "util.hashes".sha256;

local xmlns_carbons = "urn:xmpp:carbons:2";
local xmlns_mam = "urn:xmpp:mam:2";
local forwarded = "/{urn:xmpp:forward:0}forwarded/{jabber:client}message";

local lib = {};

-- The classes that wake, the most important first.
lib.classes = { "call", "message", "mention", "group", "subscription" };

-- The message inside a carbon or an archive's answer, else the stanza itself; and the id that the account's archive
-- gave it, where the wrapping tells. Nothing at all for what another client of the account sent.
local function unwrap(stanza, account)
	local from = jid_bare(stanza.attr.from);
	if from ~= nil and from ~= account then return stanza; end -- only the account itself may wrap
	if stanza:get_child("sent", xmlns_carbons) then return nil; end
	local result = stanza:get_child("result", xmlns_mam);
	local inner = stanza:find("{"..xmlns_carbons.."}received"..forwarded);
	if not inner and result then
		inner = stanza:find("{"..xmlns_mam.."}result"..forwarded);
	end
	if not inner then
		return stanza;
	end
	return inner, result and result.attr.id;
end

local function has_text(stanza, name, xmlns)
	local text = stanza:get_child_text(name, xmlns);
	return text ~= nil and text ~= "";
end

-- A body, or an encrypted payload: key transports and the like have none.
local function has_content(stanza)
	if has_text(stanza, "body") or has_text(stanza, "x", "jabber:x:encrypted") or has_text(stanza, "openpgp", "urn:xmpp:openpgp:0") then
		return true;
	end
	for _, tag in ipairs(stanza.tags) do -- OMEMO of any version
		if tag.name == "encrypted" and tag:get_child("payload") then return true; end
	end
	return false;
end

local function mentions(stanza, account)
	for tag in stanza:childtags("reference", "urn:xmpp:reference:0") do
		if tag.attr.type == "mention" and tag.attr.uri then
			local whom = tag.attr.uri:match("^xmpp:([^?]+)");
			whom = whom and whom:gsub("%%(%x%x)", function (c) return string.char(tonumber(c, 16)); end);
			if whom and jid_bare(whom) == account then return true; end
		end
	end
	return false;
end

local function is_invitation(stanza)
	return stanza:get_child("x", "jabber:x:conference") or stanza:find("{http://jabber.org/protocol/muc#user}x/invite");
end

-- The class of a stanza on its way to account (bare JID).
function lib.class(stanza, account)
	if stanza.name == "presence" then
		return stanza.attr.type == "subscribe" and "subscription" or "nothing";
	elseif stanza.name ~= "message" then
		return "nothing";
	end
	local message = unwrap(stanza, account);
	if not message then return "nothing"; end
	local kind = message.attr.type;
	if kind == "error" or kind == "headline" or jid_bare(message.attr.from) == account then
		return "nothing";
	elseif kind == "groupchat" then
		if not has_content(message) then return "nothing"; end
		return mentions(message, account) and "mention" or "group";
	elseif message:get_child("propose", "urn:xmpp:jingle-message:0") then
		return "call";
	elseif has_content(message) or is_invitation(message) then
		return "message";
	end
	return "nothing";
end

-- Who sent a stanza that has a class.
function lib.sender(stanza, account)
	return unwrap(stanza, account).attr.from;
end

-- The key of a stanza on its way to account, or nil.
function lib.key(stanza, account)
	local message, id = unwrap(stanza, account);
	if not message then return nil; end
	if not id then
		local stanza_id = message:get_child_with_attr("stanza-id", "urn:xmpp:sid:0", "by", account)
			or stanza:get_child_with_attr("stanza-id", "urn:xmpp:sid:0", "by", account);
		id = stanza_id and stanza_id.attr.id;
	end
	if id then return "s:"..id; end
	if not message.attr.id then return nil; end
	local parts = (message.attr.from or "").." "..(message.attr.type or "").." "..message.attr.id;
	-- Clients choose their ids, of any length; many long ones must not make a batch that nobody takes.
	if #parts > 512 then parts = sha256(parts, true); end
	return "i:"..parts;
end

-- Stands for the id that the sender gave the stanza, which may be anything, or nil.
function lib.tag(stanza, account)
	local message = unwrap(stanza, account);
	local id = message and message.attr.id;
	return id and id ~= "" and sha256(id, true):sub(1, 12) or nil;
end

return lib;
