-- What is known of each session beside what Prosody knows: its name and counter in events, when it was heard from, and
-- whether it is being watched because an acknowledgement is late.

local filters = require "util.filters";
local st = require "util.stanza";
local now = require "util.time".now;

local ack_delay = module:get_option_number("smacks_max_ack_delay", 30);
local heard_recently = 10; -- seconds
local max_unread = 12; -- chats that are told apart

-- o: guard, describe(stanza, user) -> attributes: class, key, tag, chat; classes; report(name, session, attr, children)
return function (o)
	local known = {}; -- session -> what we know
	local by_sid = {};
	local by_jid = {};
	local self = {};

	local function counts(session)
		local queue = session.outgoing_stanza_queue;
		if not queue then return nil; end
		local acked = queue:count_acked();
		return acked + queue:count_unacked(), acked;
	end
	self.counts = counts;

	local function text(n) return n and string.format("%d", n); end

	-- Calls f with each stanza that is queued for the session and its position, the oldest first.
	local function each_queued(session, f)
		local stanzas = session.outgoing_stanza_queue and session.outgoing_stanza_queue:table();
		if not stanzas then return; end
		local before = counts(session) - #stanzas;
		for i, stanza in ipairs(stanzas) do f(stanza, before + i); end
	end

	-- <unread/> for each class and chat that waits in the session's queue; of more than some chats one for each class.
	function self.unread(session)
		local found, rows, of_class, children = {}, 0, {}, {};
		for _, class in ipairs(o.classes) do of_class[class] = {}; end
		each_queued(session, function (stanza, position)
			local about = o.describe(stanza, session.username);
			if about.class == "nothing" then return; end
			local which = table.concat({ about.class, about.chat or "", about.stranger or "" }, " ");
			if not found[which] and rows >= max_unread then which = about.class; end
			local row = found[which];
			if not row then
				rows, row = rows + 1, { attr = about, count = 0 };
				found[which] = row;
				table.insert(of_class[about.class], row);
			end
			if row.attr.chat ~= about.chat then about.chat = nil; end -- it is told only if it is the same for all
			if not row.attr.stranger then about.stranger = nil; end
			row.count = row.count + 1;
			about.count, about.last = text(row.count), text(position);
			row.attr = about;
		end);
		for _, class in ipairs(o.classes) do
			for _, row in ipairs(of_class[class]) do children[#children+1] = { name = "unread", attr = row.attr }; end
		end
		return children;
	end

	-- Where a stanza with that key is in the session's queue, or nil.
	function self.position(session, key)
		local at;
		each_queued(session, function (stanza, position)
			if o.describe(stanza, session.username).key == key then at = position; end
		end);
		return at;
	end

	-- active or inactive; "flushing" is what Prosody calls an inactive session that is being written to.
	function self.csi(session)
		return (session.state == "inactive" or session.state == "flushing") and "inactive" or "active";
	end

	function self.state(session)
		if session.hibernating then return "hibernated"; end
		return known[session] and known[session].delayed and "delayed" or self.csi(session);
	end

	-- Attributes with the counts that Prosody has for the session now.
	function self.numbers(session, attr)
		local out, acked = counts(session);
		attr.out, attr.acked = text(out), text(acked);
		return attr;
	end

	-- An acknowledgement is late, and Prosody says so once. From here on every stanza that goes out is reported, until
	-- the client shows any sign of life.

	local report_late = o.guard("late", function (stanza, session)
		if session.resending_unacked or session.hibernating or not st.is_stanza(stanza) or stanza.attr.xmlns then return; end
		local about = o.describe(stanza, session.username);
		if about.class ~= "nothing" then
			about.out = text(counts(session));
			o.report("late", session, about);
		end
	end);

	-- Runs between mod_smacks (-999), which counts the stanza, and mod_websocket (-1000), which puts a namespace on it.
	local function out_filter(stanza, session)
		report_late(stanza, session);
		return stanza;
	end

	local function unwatch(session, s)
		s.delayed = false;
		filters.remove_filter(session, "stanzas/out", out_filter);
	end

	function self.watch(session)
		known[session].delayed = true;
		filters.add_filter(session, "stanzas/out", out_filter, -999.5);
	end

	function self.delayed(session)
		self.watch(session);
		o.report("delayed", session, self.numbers(session, {}), self.unread(session));
	end

	-- Prosody asks for no second acknowledgement while the first one is missing, and runs no second timer. A client that
	-- talks and does not acknowledge is looked at again.
	local function look_again(session, s)
		if s.again or ack_delay <= 0 then return; end
		s.again = module:add_timer(ack_delay, o.guard("ack delay", function ()
			s.again = nil;
			if known[session] == s and not s.delayed and not session.hibernating and session.awaiting_ack and not session.delayed_ack_timer then
				self.delayed(session);
			end
		end));
	end

	-- Prosody asks inactive clients for no acknowledgement before smacks_max_inactive_unacked_stanzas (256) wait, except
	-- when mod_csi_simple writes out what it held back. Whatever else writes: what is worth a wake is asked for at once.
	function self.ask(session)
		if session.state ~= "inactive" or not session.smacks or session.hibernating or session.awaiting_ack or not known[session]
			or session.last_requested_h == counts(session) then return; end
		local worth = false;
		each_queued(session, function (stanza)
			worth = worth or o.describe(stanza, session.username).class ~= "nothing";
		end);
		if not worth then return; end
		session.state = "flushing"; -- for mod_smacks, which does the asking
		module:fire_event("csi-flushing", { session = session });
		session.state = "inactive";
	end

	local note_heard = o.guard("heard", function (session)
		local s = known[session];
		if not s then return; end
		s.heard = now();
		if not s.delayed then return; end
		unwatch(session, s);
		-- After the data has been worked off, so that an acknowledgement in it counts.
		module:add_timer(0, o.guard("heard", function ()
			if known[session] ~= s or session.hibernating or s.delayed then return; end
			local attr = self.numbers(session, { state = self.csi(session) });
			attr.out = nil;
			o.report("heard", session, attr);
			if session.awaiting_ack and not session.delayed_ack_timer then look_again(session, s); end
		end));
	end);

	local function in_filter(data, session)
		note_heard(session);
		return data;
	end

	local function listen(session)
		filters.add_filter(session, "bytes/in", in_filter, 1000);
		filters.add_filter(session, "stanzas/in", in_filter, 1000); -- BOSH has no bytes
	end

	function self.track(session)
		local s = known[session];
		if not s then
			-- Prosody makes session.id from an address in memory, which is used again; with the time it never is.
			local sid = session.id or tostring(session):match("%x+$");
			if session.conntime then sid = string.format("%s-%x", sid, math.floor(session.conntime * 1000)); end
			s = { sid = sid, n = 0, heard = 0, delayed = false };
			known[session], by_sid[sid] = s, session;
		end
		by_jid[session.full_jid] = session;
		listen(session);
		return s;
	end

	-- The session that has the resource of one that is bound now, if Prosody left it there: 0.12.3 does not destroy a
	-- hibernating session that came by WebSocket when another client takes its resource.
	function self.left_behind(session)
		local old = by_jid[session.full_jid];
		return old ~= session and old or nil;
	end

	-- A resumed session has the filters of the connection that resumed it, which are not ours yet.
	function self.resumed(session)
		local s = self.track(session);
		unwatch(session, s);
		s.heard = now();
	end

	function self.forget(session)
		local s = known[session];
		if not s then return; end
		known[session], by_sid[s.sid] = nil, nil;
		if by_jid[session.full_jid] == session then by_jid[session.full_jid] = nil; end
		if s.again then s.again:stop(); end
		unwatch(session, s);
		filters.remove_filter(session, "bytes/in", in_filter);
		filters.remove_filter(session, "stanzas/in", in_filter);
	end

	function self.by_sid(sid) return by_sid[sid]; end
	function self.get(session) return known[session]; end

	-- All sessions as a list, safe against what comes and goes meanwhile.
	function self.list()
		local list = {};
		for session in pairs(known) do list[#list+1] = session; end
		return list;
	end

	-- <heard/> for each session of the user that was heard from just now.
	function self.heard(user)
		local children = {};
		local account = prosody.hosts[module.host].sessions[user];
		for _, session in pairs(account and account.sessions or {}) do
			local s = known[session];
			if s and not session.hibernating and now() - s.heard <= heard_recently then
				children[#children+1] = { name = "heard", attr = { sid = s.sid } };
			end
		end
		return children;
	end

	-- A session is about to give back what was not acknowledged: remember where its queue begins.
	function self.dying(session)
		local s = known[session];
		if not s or not session.smacks or not session.outgoing_stanza_queue then return; end
		s.given_back = counts(session) - #session.outgoing_stanza_queue:table();
	end

	-- The position of the stanza that it gives back now.
	function self.give_back(session)
		local s = known[session];
		if not s or not s.given_back then return nil; end
		s.given_back = s.given_back + 1;
		return text(s.given_back);
	end

	return self;
end
