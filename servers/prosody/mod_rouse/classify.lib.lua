-- What a stanza is worth, and the key that joins the reports about it (docs/events.md, "Class" and "Key").

local jid = require "util.jid";
local jid_bare, jid_resource, jid_prep = jid.bare, jid.resource, jid.prep;
local sha256 = require "util.hashes".sha256;

local xmlns_carbons = "urn:xmpp:carbons:2";
local xmlns_mam = "urn:xmpp:mam:2";
local xmlns_call = "urn:xmpp:jingle-message:0";
local xmlns_read = "urn:xmpp:mds:displayed:0";
local forwarded = "/{urn:xmpp:forward:0}forwarded/{jabber:client}message";

local lib = {};

-- The classes that wake, the most important first.
lib.classes = { "call", "message", "mention", "group", "invitation", "subscription" };

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

-- What changes or remarks on an earlier message, and says nothing new: corrections (XEP-0308), reactions (XEP-0444),
-- retractions (XEP-0424) and moderation (XEP-0425), also as they were fastened to it (XEP-0422).
local about_another = {
	["urn:xmpp:message-correct:0"] = "replace";
	["urn:xmpp:reactions:0"] = "reactions";
	["urn:xmpp:message-retract:0"] = "retract";
	["urn:xmpp:message-retract:1"] = "retract";
	["urn:xmpp:fasten:0"] = "apply-to";
};

-- A body is for clients that do not know these, and for nobody else (XEP-0428).
local stands_for = {
	["urn:xmpp:reactions:0"] = true; ["urn:xmpp:message-retract:0"] = true; ["urn:xmpp:message-retract:1"] = true;
	["urn:xmpp:message-moderate:0"] = true; ["urn:xmpp:message-moderate:1"] = true; ["urn:xmpp:jingle-message:0"] = true;
};

local function is_about_another(message)
	for _, tag in ipairs(message.tags) do
		if about_another[tag.attr.xmlns] == tag.name then return true; end
	end
	return false;
end

-- Whether all of the body stands for something else.
local function is_fallback(message)
	for tag in message:childtags("fallback", "urn:xmpp:fallback:0") do
		if stands_for[tag.attr["for"]] then
			local body = tag:get_child("body");
			if not body and #tag.tags == 0 or body and not body.attr.start and not body.attr["end"] then return true; end
		end
	end
	return false;
end

-- A body, or an encrypted payload: key transports and the like have none.
local function has_content(message)
	if is_about_another(message) then return false; end
	if has_text(message, "body") and not is_fallback(message) or has_text(message, "x", "jabber:x:encrypted") or has_text(message, "openpgp", "urn:xmpp:openpgp:0") then
		return true;
	end
	for _, tag in ipairs(message.tags) do -- OMEMO of any version
		if tag.name == "encrypted" and tag:get_child("payload") then return true; end
	end
	return false;
end

-- Whether a letter or a digit begins at that byte: of the scripts that write spaces between words.
local function is_letter(text, at)
	local c, d = text:byte(at, at + 1);
	if not c then return false; end
	if c < 0x80 then return text:find("^[%w_]", at) ~= nil; end
	return c >= 0xC3 and c <= 0xDF or c == 0xE0 and (d or 0) <= 0xB7 or c == 0xE1 and (d or 0) >= 0xB8; -- U+00C0 to U+0DFF, U+1E00 to U+1FFF
end

-- Whether the text has the name as a word. Case counts outside of ASCII only.
local function has_word(text, name)
	text, name = text:lower(), name:lower();
	local from = 1;
	while name ~= "" do
		local first, last = text:find(name, from, true);
		if not first then break; end
		local before = first - 1;
		while before > 1 and text:byte(before) >= 0x80 and text:byte(before) < 0xC0 do before = before - 1; end
		if (before < 1 or not is_letter(text, before)) and not is_letter(text, last + 1) then return true; end
		from = first + 1;
	end
	return false;
end

-- nick is what the user is called in the room, nil if nobody knows.
local function mentions(message, account, nick)
	local room = jid_bare(message.attr.from);
	for tag in message:childtags("reference", "urn:xmpp:reference:0") do
		if tag.attr.type == "mention" and tag.attr.uri then
			local whom = tag.attr.uri:match("^xmpp:([^?]+)");
			whom = whom and whom:gsub("%%(%x%x)", function (c) return string.char(tonumber(c, 16)); end);
			local bare = whom and jid_bare(whom);
			if bare and (bare == account or nick and bare == room and jid_resource(whom) == nick) then return true; end
		end
	end
	local body = message:get_child_text("body");
	return nick ~= nil and body ~= nil and has_word(body, nick);
end

local function is_invitation(message)
	return message:find("{http://jabber.org/protocol/muc#user}x/invite") or message:get_child("x", "jabber:x:conference");
end

-- The class of a stanza on its way to account (bare JID). nick_in gives what the user is called in a room, or nil.
function lib.class(stanza, account, nick_in)
	if stanza.name == "presence" then
		return stanza.attr.type == "subscribe" and "subscription" or "nothing";
	elseif stanza.name ~= "message" then
		return "nothing";
	end
	local message = unwrap(stanza, account);
	if not message then return "nothing"; end
	local kind, from = message.attr.type, jid_bare(message.attr.from);
	if kind == "error" or kind == "headline" or from == account then
		return "nothing";
	elseif kind == "groupchat" then
		if not has_content(message) then return "nothing"; end
		return mentions(message, account, from and nick_in(from)) and "mention" or "group";
	elseif message:get_child("propose", xmlns_call) then
		return "call";
	elseif is_invitation(message) then
		return "invitation";
	elseif has_content(message) then
		return "message";
	end
	return "nothing";
end

-- The message that it is about, or the stanza itself.
function lib.inner(stanza, account) return (unwrap(stanza, account)); end

-- Who sent a stanza that has a class.
function lib.sender(stanza, account)
	return unwrap(stanza, account).attr.from;
end

-- The person (bare JID) who sent a stanza that has a class, or asked a room to; nil if a room did.
function lib.person(stanza, account)
	local message = unwrap(stanza, account);
	if message.attr.type == "groupchat" then return nil; end
	local invite = message.name == "message" and message:find("{http://jabber.org/protocol/muc#user}x/invite");
	return jid_bare(invite and invite.attr.from or message.attr.from);
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
	if #parts > 200 then parts = sha256(parts, true); end
	return "i:"..parts;
end

local function short(text) return text and text ~= "" and sha256(text, true):sub(1, 12) or nil; end

-- Stands for the id that the sender gave the stanza, which may be anything, or nil.
function lib.tag(stanza, account)
	local message = unwrap(stanza, account);
	return message and short(message.attr.id);
end

-- Stands for the chat with that person or room (bare JID), and for the call with that id; or nil.
local function chat_with(account, whom)
	whom = whom and jid_prep(whom);
	return whom and short(account.."\0"..whom);
end
lib.chat_with = chat_with;
local function call_of(account, id) return id and short(account.."\0call\0"..id); end

-- Of a stanza on its way to account: the call that it proposes, or the chat that it belongs to, or nil.
function lib.chat(stanza, account)
	local message = stanza.name == "message" and unwrap(stanza, account);
	if not message then return nil; end
	local propose = message:get_child("propose", xmlns_call);
	if propose then return call_of(account, propose.attr.id); end
	return chat_with(account, jid_bare(message.attr.from));
end

-- The call that its caller takes back by a stanza on its way to account, or nil.
function lib.retracted(stanza, account)
	local retract = jid_bare(stanza.attr.from) ~= account and stanza:get_child("retract", xmlns_call);
	return retract and call_of(account, retract.attr.id);
end

-- The call that a client of account takes or refuses by a stanza that it sends, or nil.
function lib.taken(stanza, account)
	for _, name in ipairs { "proceed", "accept", "reject" } do
		local said = stanza:get_child(name, xmlns_call);
		if said then return call_of(account, said.attr.id); end
	end
end

-- What a client of account shows to have read by a stanza that it sends: a list of chats, each with the key or the tag of
-- the last message that was read, where that is said.
function lib.read(stanza, account)
	local list = {};
	if stanza.name == "message" then
		local chat = stanza.attr.type ~= "error" and chat_with(account, jid_bare(stanza.attr.to));
		local displayed = stanza:get_child("displayed", "urn:xmpp:chat-markers:0");
		if chat and (displayed or has_content(stanza)) then
			list[1] = { chat = chat, tag = displayed and short(displayed.attr.id) };
		end
		return list;
	end
	local publish = stanza:find("{http://jabber.org/protocol/pubsub}pubsub/publish");
	if not publish or publish.attr.node ~= xmlns_read then return list; end
	for item in publish:childtags("item") do
		local chat = chat_with(account, jid_bare(item.attr.id));
		local id = item:find("{"..xmlns_read.."}displayed/{urn:xmpp:sid:0}stanza-id");
		if chat and #list < 20 then
			list[#list+1] = { chat = chat, key = id and id.attr.by == account and id.attr.id and "s:"..id.attr.id or nil };
		end
	end
	return list;
end

return lib;
