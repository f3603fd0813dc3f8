-- What a stanza says, encrypted for the app of a device (tigase:push:encrypt:0): AES-128-GCM, with a key that the app chose.
-- The key stays here, and the plain text nowhere.

local st = require "util.stanza";
local jid = require "util.jid";
local base64 = require "util.encodings".base64;
local json = require "util.json";
local random = require "util.random".bytes;

local xmlns = "tigase:push:encrypt:0";
local max_body = 255; -- bytes
local max_payload = 3000; -- of what is sent, in base64
local max_devices = 3;

-- Prosody 13 has it; for 0.12 it takes lua-luaossl.
local function cipher()
	local ok, crypto = pcall(require, "util.crypto");
	if ok and crypto.aes_128_gcm_encrypt then return crypto.aes_128_gcm_encrypt; end
	local has, openssl = pcall(require, "openssl.cipher");
	if not has then return nil; end
	return function (key, iv, text)
		local c = openssl.new("AES-128-GCM"):encrypt(key, iv);
		return c:final(text)..c:getTag(16);
	end;
end

-- o: read(user) -> registrations, identifier(service, node), component, classify
return function (o)
	local encrypt = cipher();
	local keys = module:open_store("rouse_keys");
	local known = require "util.cache".new(10000); -- user -> identifier -> { key, max }, or false
	local last = require "util.cache".new(10000); -- user, identifier and class -> what was sealed last, for push services of others
	local self = {};

	self.features = encrypt and { xmlns, "tigase:push:encrypt:aes-128-gcm" } or {};

	local function of(user)
		local all = known:get(user);
		if all == nil then
			all = keys:get(user) or false;
			known:set(user, all);
		end
		return all;
	end

	local function set(user, all)
		if next(all) == nil then all = nil; end
		keys:set(user, all);
		known:set(user, all or false);
	end

	-- A client enabled push: with a key, or without one.
	function self.enabled(user, id, enable)
		local asked = encrypt and enable:get_child("encrypt", xmlns);
		local key = asked and asked.attr.alg == "aes-128-gcm" and base64.decode(asked:get_text() or "");
		local all = of(user) or {};
		if key and #key == 16 then
			local max = math.min(tonumber(asked.attr["max-size"]) or max_payload, max_payload);
			all[id] = { key = base64.encode(key), max = max };
		elseif all[id] then
			all[id] = nil;
		else
			return;
		end
		set(user, all);
	end

	function self.gone(user, id)
		local all = of(user);
		if all and all[id] then
			all[id] = nil;
			set(user, all);
		end
	end

	function self.forget(user) known:set(user, nil); end

	-- Text of at most so many bytes, cut between characters.
	local function cut(text, max)
		if #text <= max then return text; end
		while max > 0 and text:byte(max + 1) >= 0x80 and text:byte(max + 1) < 0xC0 do max = max - 1; end
		return text:sub(1, max);
	end

	local function said(message, class)
		local from = message.attr.from;
		local what = { unread = 1, sender = jid.bare(from) };
		local body = message:get_child_text("body");
		if class == "call" then
			local propose = message:get_child("propose", "urn:xmpp:jingle-message:0");
			local media = {};
			for _, tag in ipairs(propose.tags) do
				if tag.name == "description" then media[#media+1] = tag.attr.media; end
			end
			what.type, what.sender, what.sid, what.media = "call", from, propose.attr.id, media[1] and media or nil;
		elseif class == "subscription" then
			what.type = "subscribe";
		elseif message.attr.type == "groupchat" then
			what.type, what.nickname = "groupchat", jid.resource(from);
		else
			what.type = "chat";
		end
		if class ~= "call" and body then what.message = cut(body, max_body); end
		return what;
	end

	-- What a publish to a push service of others says in place of its form, or nil.
	function self.encrypted(user, id, class)
		local attr = class and last:get(user.." "..id.." "..class);
		return attr and st.stanza("encrypted", { xmlns = xmlns, iv = attr.iv, type = class == "call" and "voip" or nil }):text(attr.data);
	end

	-- <sealed/> for each device of the user whose app can read it, and is registered with rouse.
	function self.children(user, message, class)
		local all, list, devices = of(user), {}, 0;
		if not all or not encrypt then return list; end
		for id, info in pairs(o.read(user)) do
			local k = all[id];
			if k and devices < max_devices then
				devices = devices + 1;
				local what = said(message, class);
				local text = json.encode(what);
				if math.ceil((#text + 16) / 3) * 4 > k.max then
					what.message = nil;
					text = json.encode(what);
				end
				local iv = random(12);
				local attr = { service = info.jid, node = info.node, iv = base64.encode(iv), data = base64.encode(encrypt(base64.decode(k.key), iv, text)) };
				if info.jid == o.component then
					list[#list+1] = { name = "sealed", attr = attr };
				else
					last:set(user.." "..id.." "..class, attr);
				end
			end
		end
		return list;
	end

	return self;
end
