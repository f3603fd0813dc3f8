-- The registrations of XEP-0357 that mod_cloud_notify keeps, seen from outside, and publishes in its place.

local st = require "util.stanza";
local sha256 = require "util.hashes".sha256;
local new_id = require "util.id".medium;
local dataform = require "util.dataforms".new;

local xmlns_push = "urn:xmpp:push:0";
local publish_timeout = 90; -- seconds; a connection to another server may take most of it
local max_publishes = 200; -- under way; send_iq forgets the oldest beyond 256

-- As mod_cloud_notify has it, so that a push service sees no difference.
local push_form = dataform {
	{ name = "FORM_TYPE"; type = "hidden"; value = "urn:xmpp:push:summary" };
	{ name = "message-count"; type = "text-single" };
	{ name = "pending-subscription-count"; type = "text-single" };
	{ name = "last-message-sender"; type = "jid-single" };
	{ name = "last-message-body"; type = "text-single" };
};

-- o: guard, report(name, session or user, attr), gone(user, identifier), sender(user, class), encrypted(user, identifier, class)
return function (o)
	local store = module:open_store("cloud_notify");
	local publishing = 0;
	local self = {};

	function self.read(user)
		local stored, err = store:get(user);
		if err then module:log("warn", "Cannot read the push registrations of %s: %s", user, tostring(err)); end
		return stored or {};
	end

	-- Accounts that have or had registrations.
	function self.users()
		local list = {};
		local users, state = store:users();
		if users then
			for user in users, state do list[#list+1] = user; end
		end
		return list;
	end

	local function identifier(service, node) return service.."<"..(node or ""); end
	self.identifier = identifier;

	local function option(info, name)
		local form = info.options and st.deserialize(info.options);
		local field = form and form:get_child_with_attr("field", nil, "var", name);
		return field and field:get_child_text("value");
	end

	local function fingerprint(info)
		local secret = option(info, "secret");
		return secret and sha256(secret, true):sub(1, 32);
	end

	-- Which app of a push service a device token is for, where nobody registers (fpush).
	local function push_module(info)
		local name = option(info, "pushModule");
		return name and #name <= 64 and name or nil;
	end

	function self.attr(info)
		return { service = info.jid, node = info.node, secret = fingerprint(info), module = push_module(info), resource = info.resource, client = info.client_id };
	end

	-- Reports what was in the store before and is not there now.
	function self.report_gone(user, before)
		local after = self.read(user);
		for id, info in pairs(before) do
			if not after[id] then o.gone(user, id); end
			if not after[id] then o.report("disable", user, { service = info.jid, node = info.node }); end
		end
		return after;
	end

	-- mod_cloud_notify has dealt with <enable/>: one registration may have come, and others gone to make room for it.
	-- children: what the client said besides.
	function self.enabled(session, id, before, children)
		local info = self.report_gone(session.username, before)[id];
		if info and session.push_identifier == id then
			o.report("enable", session, self.attr(info), children);
		end
	end

	-- A publish of mod_cloud_notify itself is under way; an error may be the one that makes it give up the registration.
	function self.watch_answer(user, id)
		local before = self.read(user);
		local events, handlers = { "iq-error/host/"..id, "iq-result/host/"..id }, {};
		local function stop()
			for i, event in ipairs(events) do
				if handlers[i] then module:unhook(event, handlers[i]); end
			end
			handlers = {};
		end
		handlers[1] = function ()
			module:add_timer(0, o.guard("push error", function () stop(); self.report_gone(user, before); end));
		end
		handlers[2] = function () module:add_timer(0, stop); end
		for i, event in ipairs(events) do module:hook(event, handlers[i], 1); end
		module:add_timer(publish_timeout, stop);
	end

	-- rouse says what may leave the host.
	local function notification(ask)
		local count = ask.count or "1";
		local said = st.stanza("notification", { xmlns = xmlns_push }):add_child(o.encrypted(ask.user, identifier(ask.service, ask.node), ask.class) or push_form:form {
			["message-count"] = ask.class ~= "subscription" and count or nil;
			["pending-subscription-count"] = ask.class == "subscription" and count or nil;
			["last-message-sender"] = ask.sender == "true" and ask.class and o.sender(ask.user, ask.class) or nil;
			["last-message-body"] = ask.body;
		});
		if ask.priority then said:text_tag("priority", ask.priority, { xmlns = "tigase:push:priority:0" }); end
		return said;
	end

	-- Publishes as rouse asks (attributes of <publish/>). Returns nothing, or the type and condition of an error.
	function self.publish(ask)
		local info = ask.user and ask.service and self.read(ask.user)[identifier(ask.service, ask.node)];
		if not ask.wake or not ask.user or not ask.service then return "modify", "bad-request"; end
		if not info then return "cancel", "item-not-found"; end
		if publishing >= max_publishes then return "wait", "resource-constraint"; end
		local iq = st.iq({ type = "set", from = module.host, to = info.jid, id = new_id() })
			:tag("pubsub", { xmlns = "http://jabber.org/protocol/pubsub" })
				:tag("publish", { node = info.node })
					:tag("item"):add_child(notification(ask)):up():up();
		if info.options then
			iq:tag("publish-options"):add_child(st.deserialize(info.options)):up();
		end
		publishing = publishing + 1;
		local function answered(kind, condition)
			publishing = publishing - 1;
			o.report("answered", ask.user, { wake = ask.wake, error = condition, ["error-type"] = kind });
		end
		module:send_iq(iq:reset(), nil, publish_timeout):next(o.guard("answer to a publish", function (answer)
			if answer.stanza.attr.type == "error" then -- bounced by the server itself
				local kind, condition = answer.stanza:get_error();
				return answered(kind, condition);
			end
			answered();
		end), o.guard("answer to a publish", function (err)
			if type(err) ~= "table" then err = {}; end
			answered(err.type or "wait", err.condition or "undefined-condition");
		end));
	end

	return self;
end
