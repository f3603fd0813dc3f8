-- Reports to rouse what happens to sessions, and to the stanzas that did not reach a screen (docs/events.md), and does
-- what rouse asks for. mod_cloud_notify stays the registrar; it publishes only while rouse takes nothing.

local st = require "util.stanza";
local jid = require "util.jid";
local now = require "util.time".now;
local cache = require "util.cache";
local watchdog = require "util.watchdog";
local xpcall = require "util.xpcall".xpcall;
local traceback = debug.traceback;
local rostermanager = require "core.rostermanager";
local user_exists = require "core.usermanager".user_exists;

local xmlns = "rouse:events:0";
local xmlns_push = "urn:xmpp:push:0";
local host = module.host;

local component = assert(module:get_option_string("rouse_component"), "rouse_component is not set: the address of rouse, such as push."..host);

-- No error of ours may disturb the server.
local function guard(what, f)
	return function (...)
		local ok, ret = xpcall(f, traceback, ...);
		if ok then return ret; end
		module:log("error", "Error in %s: %s", what, tostring(ret));
	end
end

local classify = module:require "classify";
local filter = module:require "filter";
local saved = module:require "saved" (guard);
local queue, sessions, endpoints, picture, seal; -- below

-- What the user's own clients said in rooms comes back to all of them, and wakes none.
local own_in_room = cache.new(1000);

-- What users are called in rooms, as the rooms said when they came in.
local nicks = cache.new(100000);

-- Who wrote last to a user, for publishes that shall name them.
local senders = cache.new(10000);

local function own_key(user, room, id) return user.." "..room.." "..id; end

-- Chats and calls of which something was told since the user read, or answered.
local unread = cache.new(100000);

-- The stanza that attributes are about, as long as somebody has them.
local stanza_of = setmetatable({}, { __mode = "k" });

-- Whether the person is one whom the user neither has nor asked for in the roster; of who wrote in a room nobody says so.
local function is_stranger(user, whom)
	if not whom or whom == host or whom == jid.join(user, host) or nicks:get(user.." "..whom) then return false; end
	local roster = rostermanager.load_roster(user, host);
	local item = roster and roster[whom];
	return not item or item.subscription == "none" and not item.ask;
end

-- Class, key, tag and chat of a stanza on its way to the user, and whether a stranger sent it, as attributes.
local function describe(stanza, user)
	local account = jid.join(user, host);
	local class = classify.class(stanza, account, function (room) return nicks:get(user.." "..room); end);
	if (class == "group" or class == "mention") and stanza.attr.id and stanza.attr.from then
		local said = own_in_room:get(own_key(user, jid.bare(stanza.attr.from), stanza.attr.id));
		if said and now() - said < 120 then class = "nothing"; end
	end
	if class ~= "nothing" then senders:set(user.." "..class, classify.sender(stanza, account)); end
	local about = {
		class = class, key = classify.key(stanza, account), tag = classify.tag(stanza, account);
		chat = class ~= "nothing" and classify.chat(stanza, account) or nil;
		stranger = class ~= "nothing" and is_stranger(user, classify.person(stanza, account)) and "true" or nil;
	};
	stanza_of[about] = stanza;
	return about;
end

-- What of a report only the apps of devices can read: of its stanza, or of the most important one unread.
local function sealed(user, attr, children)
	local about = stanza_of[attr] and attr or children and children[1] and children[1].name == "unread" and children[1].attr;
	local stanza = about and about.class ~= "nothing" and stanza_of[about];
	for _, child in ipairs(children or {}) do stanza_of[child.attr] = nil; end
	stanza_of[attr] = nil;
	return stanza and seal.children(user, classify.inner(stanza, jid.join(user, host)), about.class) or {};
end

--- Reports

local n_accounts = 0; -- counts the events that are no session's; growing is all that matters

local function row(name, attr, children)
	attr.t = string.format("%d", math.floor(now() * 1000));
	return { name = name, attr = attr, children = children };
end

-- whose: a session, or the name of an account.
local function report(name, whose, attr, children)
	if type(whose) == "string" then
		n_accounts = n_accounts + 1;
		attr.user, attr.n = whose, string.format("%d", n_accounts);
	else
		local s = sessions.get(whose);
		if not s then return; end
		s.n = s.n + 1;
		attr.user, attr.sid, attr.n = whose.username, s.sid, string.format("%d", s.n);
	end
	if attr.class and attr.chat then unread:set(attr.user.." "..attr.chat, true); end
	for _, child in ipairs(children or {}) do
		if child.attr.chat then unread:set(attr.user.." "..child.attr.chat, true); end
	end
	local private = sealed(attr.user, attr, children);
	if private[1] then
		children = children or {};
		for _, child in ipairs(private) do table.insert(children, child); end
	end
	queue.add(row(name, attr, children));
end

local function report_stanza(name, user, stanza)
	local about = describe(stanza, user);
	if about.class ~= "nothing" then report(name, user, about); end
end

-- Says that a chat was read, or a call is over, if something of it was told.
local function report_over(name, whose, attr)
	local user = type(whose) == "string" and whose or whose.username;
	local which = user.." "..attr.chat;
	if not unread:get(which) then return; end
	unread:set(which, nil);
	report(name, whose, attr);
end

sessions = module:require "sessions" { guard = guard, describe = describe, classes = classify.classes, report = report };
endpoints = module:require "endpoints" { guard = guard, report = report, gone = function (user, id) seal.gone(user, id); end, encrypted = function (...) return seal.encrypted(...); end, sender = function (user, class) return senders:get(user.." "..class); end };
seal = module:require "seal" { component = component, read = endpoints.read };
picture = module:require "picture" { sessions = sessions, endpoints = endpoints, row = row, behind = function () return queue.behind(); end };
queue = module:require "queue" {
	component = component;
	epoch = saved.epoch(math.floor(now() * 1000));
	max_queue = math.max(100, module:get_option_number("rouse_max_queue", 10000));
	batch = math.max(1, module:get_option_number("rouse_batch", 100));
	answer_timeout = module:get_option_number("rouse_answer_timeout", 15);
	fallback = module:get_option_number("rouse_fallback", 30);
	guard = guard;
	saved = saved;
	rows = picture.rows;
};

local function hook(event, f, priority)
	module:hook(event, guard(event, f), priority);
end

-- Calls before(event), the handlers of the event, and after(event, what before returned, what the handlers returned).
local function around(name, before, after)
	before, after = guard(name, before), guard(name, after);
	module:wrap_event(name, function (handlers, event_name, event)
		local state = before(event);
		local ret = handlers(event_name, event);
		after(event, state, ret);
		return ret;
	end);
end

--- Sessions

local function is_ours(session) return session.username and session.host == host and session.resource; end

hook("resource-bind", function (event)
	local session = event.session;
	local old = sessions.left_behind(session);
	if old then
		report("ended", old, { reason = "replaced" });
		sessions.forget(old);
	end
	sessions.track(session);
	report("bind", session, { resource = session.resource, client = session.client_id });
end, -100);

hook("resource-unbind", function (event)
	report("ended", event.session, { reason = event.error and tostring(event.error):sub(1, 200) or nil });
	sessions.forget(event.session);
end, -100);

for _, state in ipairs { "active", "inactive" } do
	hook("csi-client-"..state, function (event)
		if is_ours(event.origin) and not event.resumed then report("csi", event.origin, { state = state }); end
	end, -100);
end

hook("c2s-pre-ondrain", function (event) sessions.ask(event.session); end, -100); -- after mod_smacks

hook("smacks-ack-delayed", function (event)
	if sessions.get(event.origin) then sessions.delayed(event.origin); end
end, -100);

hook("smacks-hibernation-start", function (event)
	local session = event.origin;
	report("hibernated", session, sessions.numbers(session, {}), sessions.unread(session));
end, 100); -- before mod_cloud_notify, which may publish for the queue

hook("smacks-hibernation-stanza-queued", function (event)
	local session = event.origin;
	local about = describe(event.stanza, session.username);
	if about.class ~= "nothing" then
		about.out = sessions.numbers(session, {}).out;
		report("queued", session, about);
	end
end, 100);

hook("smacks-hibernation-end", function (event)
	local session = event.resumed;
	sessions.resumed(session);
	if sessions.csi(session) == "inactive" then
		-- Prosody keeps the state, but the filters of mod_csi_simple went with the old connection, and its timer would
		-- pause the new one for good: nothing would reach the client. So they hear of the state once more.
		session.state = "inactive";
		module:fire_event("csi-client-inactive", { origin = session, resumed = true });
	end
	report("resumed", session, sessions.numbers(session, { state = sessions.csi(session) }));
end, -100);

--- Stanzas

hook("archive-message-added", function (event)
	local user, stanza = event.for_user, event.stanza;
	if not user then return; end
	local account = jid.join(user, host);
	if jid.bare(stanza.attr.to) ~= account or jid.bare(stanza.attr.from) == account then return; end -- the sender's copy
	local about = describe(stanza, user);
	about.key = "s:"..tostring(event.id);
	if about.class ~= "nothing" then report("archived", user, about); end
end, 100);

-- Where mod_smacks gives back the queue of a session that is gone for good, the report carries the place in it.
local giving_back; -- { stanza, session, out, reported }

local function report_given_back()
	local given = giving_back;
	local about = describe(given.stanza, given.session.username);
	about.out = given.out;
	if about.class ~= "nothing" then report("offline", given.session, about); end
	given.reported = true;
end

hook("pre-resource-unbind", function (event)
	if not event.session.resumption_token then sessions.dying(event.session); end
end, 100);

module:hook_global("server-stopping", guard("server-stopping", function ()
	for _, session in ipairs(sessions.list()) do sessions.dying(session); end
end), -80); -- mod_smacks gives the queues back at -90

around("delivery/failure", function (event)
	if sessions.get(event.session) then
		giving_back = { stanza = event.stanza, session = event.session, out = sessions.give_back(event.session) };
	end
end, function (event, _, kept)
	local given = giving_back;
	-- Kept for the archive: nothing else reports it. What comes from the archive is there anyway. For a client that has not
	-- asked the archive mod_smacks bounces what it gives back, if the user has another client; in the archive it is all the same.
	if given and not given.reported and not event.stanza:get_child("result", "urn:xmpp:mam:2") then
		local key = describe(given.stanza, given.session.username).key;
		if kept or key and key:sub(1, 2) == "s:" then report_given_back(); end
	end
	giving_back = nil;
end);

hook("message/offline/handle", function (event)
	if giving_back and giving_back.stanza == event.stanza then return report_given_back(); end
	local user = event.username or jid.node(event.stanza.attr.to) or event.origin.username;
	report_stanza("offline", user, event.stanza);
end, 2); -- before mod_cloud_notify (1), so that what it publishes can be marked

hook("message/bare/groupchat", function (event)
	local user = jid.node(event.stanza.attr.to);
	if user and not prosody.bare_sessions[jid.join(user, host)] then report_stanza("room", user, event.stanza); end
end, 2);

hook("pre-message/bare", function (event)
	local stanza, user = event.stanza, event.origin.username;
	if user and stanza.attr.type == "groupchat" and stanza.attr.id then
		own_in_room:set(own_key(user, stanza.attr.to or "", stanza.attr.id), now());
	end
end, 100);

-- What a client of the user's shows to have read, and the calls that it takes or refuses.
local function said_by_client(event)
	local session, stanza = event.origin, event.stanza;
	if not is_ours(session) then return; end
	local account = jid.join(session.username, host);
	local call = classify.taken(stanza, account);
	if call then return report_over("taken", session, { chat = call }); end
	for _, attr in ipairs(classify.read(stanza, account)) do report_over("read", session, attr); end
end
for _, event in ipairs { "pre-message/bare", "pre-message/full", "pre-message/host", "pre-iq/bare" } do
	hook(event, said_by_client, 90);
end

-- A room says who one is there (XEP-0045 §7.2.2, status 110).
hook("presence/full", function (event)
	local stanza = event.stanza;
	if stanza.attr.type then return; end
	local x = stanza:get_child("x", "http://jabber.org/protocol/muc#user");
	if not x or not x:get_child_with_attr("status", nil, "code", "110") then return; end
	local user, room, nick = jid.node(stanza.attr.to), jid.bare(stanza.attr.from), jid.resource(stanza.attr.from);
	if user and nick then nicks:set(user.." "..room, nick); end
end, 100);

hook("presence/bare", function (event)
	local stanza = event.stanza;
	if stanza.attr.type ~= "subscribe" or not stanza.attr.to then return; end
	local user, contact = jid.node(stanza.attr.to), jid.bare(stanza.attr.from);
	-- mod_presence answers or drops these by itself.
	if user and user_exists(user, host) and not rostermanager.is_contact_subscribed(user, host, contact)
		and not rostermanager.is_contact_preapproved(user, host, contact) and not rostermanager.is_contact_pending_in(user, host, contact) then
		report_stanza("subscribe", user, stanza);
	end
end, 0.5);

local function report_call(event)
	local stanza = event.stanza;
	local is_proposed = stanza:get_child("propose", "urn:xmpp:jingle-message:0");
	if not is_proposed and not stanza:get_child("retract", "urn:xmpp:jingle-message:0") then return; end
	local user = jid.node(stanza.attr.to);
	if not user or not user_exists(user, host) then return; end
	if not is_proposed then
		local call = classify.retracted(stanza, jid.join(user, host));
		return call and report_over("retracted", user, { chat = call });
	end
	local about = describe(stanza, user);
	if about.class == "call" then report("call", user, about, sessions.heard(user)); end
end
-- After mod_mam (0) has given the stanza its id, before carbons (-0.5) and delivery (-1).
hook("message/bare", report_call, -0.25);
hook("message/full", report_call, -0.25);

--- Registrations

local function stored_before(event)
	local user = event.origin.username;
	return user and endpoints.read(user);
end

around("iq-set/self/"..xmlns_push..":enable", stored_before, function (event, before)
	local enable = event.stanza.tags[1].attr;
	if not before or not enable.jid then return; end
	local user = event.origin.username;
	local chosen = filter.of(event.stanza.tags[1], jid.join(user, host), classify.chat_with, function (room, nick)
		if not nicks:get(user.." "..room) then nicks:set(user.." "..room, nick); end
	end);
	seal.enabled(user, endpoints.identifier(enable.jid, enable.node), event.stanza.tags[1]);
	endpoints.enabled(event.origin, endpoints.identifier(enable.jid, enable.node), before, chosen and { { name = "filter", attr = chosen } });
end);

hook("account-disco-info", function (event)
	for _, feature in ipairs(seal.features) do event.reply:tag("feature", { var = feature }):up(); end
	for _, feature in ipairs(filter.features) do event.reply:tag("feature", { var = feature }):up(); end
end);

around("iq-set/self/"..xmlns_push..":disable", stored_before, function (event, before)
	if before then endpoints.report_gone(event.origin.username, before); end
end);

local function account_gone(event)
	if event.host ~= host then return; end
	seal.forget(event.username);
	report("deleted", event.username, {});
end
module:hook_global("user-deleted", guard("user-deleted", account_gone));
module:hook_global("user-disabled", guard("user-disabled", account_gone)); -- Prosody 13

--- mod_cloud_notify's own publishes

hook("cloud_notify/push", function (event)
	local service = event.push_info.jid;
	-- What it publishes to rouse, rouse knows already or will learn from the queue. A publish that is about no stanza
	-- was asked for by another module, not by a rule.
	if service == component or (event.original_stanza and not queue.away()) then
		event.reason = "rouse decides";
		return true;
	end
end, 1000);

-- Nobody has blocked it: rouse must know when it is back, or the device is woken twice.
hook("cloud_notify/push", function (event)
	local user, info = event.username, event.push_info;
	endpoints.watch_answer(user, event.notification_stanza.attr.id);
	if not event.original_stanza then return; end
	local attr = describe(event.original_stanza, user);
	local key = attr.key;
	if attr.class == "nothing" or (key and queue.mark(user, key, info.jid, info.node)) then return; end
	attr.service, attr.node = info.jid, info.node;
	local account = prosody.hosts[host].sessions[user];
	for _, session in pairs(account and account.sessions or {}) do
		if session.push_identifier == endpoints.identifier(info.jid, info.node) and sessions.get(session) then
			local position = key and sessions.position(session, key);
			attr.out = position and string.format("%d", position);
			return report("published", session, attr);
		end
	end
	report("published", user, attr);
end, -1000);

--- What rouse asks

module:add_feature(xmlns);

-- f gives nothing, an element for the result, or the type and condition of an error.
local function asked(name, f, kind_of_iq)
	module:hook("iq-"..(kind_of_iq or "set").."/host/"..xmlns..":"..name, function (event)
		local origin, stanza = event.origin, event.stanza;
		if stanza.attr.from ~= component then
			origin.send(st.error_reply(stanza, "auth", "forbidden"));
			return true;
		end
		local ok, kind, condition = xpcall(f, traceback, stanza.tags[1]);
		if not ok then
			module:log("error", "Error in %s: %s", name, tostring(kind));
			kind, condition = "wait", "internal-server-error";
		end
		if st.is_stanza(kind) then
			origin.send(st.reply(stanza):add_child(kind));
		else
			origin.send(kind and st.error_reply(stanza, kind, condition) or st.reply(stanza));
		end
		return true;
	end);
end

asked("picture", function ()
	picture.start();
	queue.poke();
end);

asked("publish", function (publish) return endpoints.publish(publish.attr); end);

asked("about", module:require "about" { xmlns = xmlns, component = component, state = queue.state }, "get");

-- mod_cloud_notify keeps sleeping sessions for days, until its first publish. That was blocked, so it is done here, once
-- in a sleep.
asked("woken", function (woken)
	for tag in woken:childtags("session") do
		local session = sessions.by_sid(tag.attr.sid);
		if session and session.username == tag.attr.user and session.hibernating and not session.first_hibernated_push
			and session.hibernating_watchdog and session.original_smacks_timeout and session.original_smacks_callback then
			session.first_hibernated_push = os.time();
			session.hibernating_watchdog:cancel();
			session.hibernating_watchdog = watchdog.new(session.original_smacks_timeout, session.original_smacks_callback);
		end
	end
end);

--- The link

local hooked;
local function hook_component()
	local there = prosody.hosts[component];
	if not there or hooked == there then return; end
	hooked = there;
	module:context(component):hook("component-authenticated", guard("component-authenticated", queue.connected));
	module:context(component):hook("component-disconnected", guard("component-disconnected", function (event)
		-- A second connection that is turned away also ends.
		if event.session.type == "component" then queue.disconnected(); end
	end));
end
module:hook_global("host-activated", guard("host-activated", hook_component));
module:hook_global("server-stopped", guard("server-stopped", saved.save));
-- Before the long goodbye, in case it is cut short.
module:hook_global("server-stopping", guard("server-stopping", saved.save), -1000);

function module.load()
	hook_component();
	for _, account in pairs(prosody.hosts[host].sessions) do
		for _, session in pairs(account.sessions) do
			sessions.track(session);
			if session.awaiting_ack and not session.delayed_ack_timer and not session.hibernating then sessions.watch(session); end
		end
	end
	saved.attach(queue);
	queue.poke();
end

function module.unload()
	saved.save();
	for _, session in ipairs(sessions.list()) do sessions.forget(session); end
end
