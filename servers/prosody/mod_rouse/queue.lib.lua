-- The way of events to rouse: a bounded queue, one batch on its way at a time, repeated until it is taken.

local st = require "util.stanza";
local new_id = require "util.id".medium;
local now = require "util.time".now;

local xmlns = "rouse:events:0";
local retry_min, retry_max = 0.5, 10;
local max_value = 4096; -- bytes of an attribute; clients choose nodes and resources
local max_batch = 200 * 1024; -- bytes, about; rouse takes 512 KiB

-- What is lost by dropping one of these is known again from the picture.
local stanza_events = { late = true, queued = true, archived = true, offline = true, room = true, subscribe = true, call = true, read = true, taken = true, retracted = true, published = true, answered = true };

-- o: component, epoch, max_queue, batch, answer_timeout, fallback (seconds), guard, saved (see saved.lib.lua),
-- rows(n): about n rows of a picture that is under way, whole accounts.
return function (o)
	local queue, head, tail = {}, 1, 0;
	local added = 0; -- events ever
	local seq, batch, on_the_way = 0, nil, false;
	local hello = true; -- a batch goes out even if nothing happened, so that rouse sees epoch and seq
	local gap = false; -- events were dropped: rouse must see that
	local delay, retry, poked = retry_min, nil, false;
	-- Since when something waits for being taken: events, or rouse itself for having a link. nil: nothing waits.
	local waiting_since = now();
	local last_taken;
	local self = {};
	local pump;

	local poke = function ()
		if poked then return; end
		poked = true;
		module:add_timer(0, o.guard("sending", function () poked = false; pump(); end));
	end

	-- Bytes that an event takes, about; and whether it is longer than anything that is meant well: then it is left out.
	local function size(event)
		local bytes, too_long = 64, false;
		local function add(attr)
			for name, value in pairs(attr) do
				bytes, too_long = bytes + #name + #value, too_long or #value > max_value;
			end
		end
		add(event.attr);
		for _, child in ipairs(event.children or {}) do add(child.attr); end
		return bytes, too_long;
	end

	-- The next rows of a picture, account by account: at most n rows and room bytes, or one account.
	local function rows(n, room)
		local list = {};
		while #list < n and room > 0 do
			local some = o.rows(1);
			if #some == 0 then break; end
			for _, row in ipairs(some) do
				local bytes, too_long = size(row);
				if not too_long then list[#list+1], room = row, room - bytes; end
			end
		end
		return list;
	end

	-- A picture has half of each batch at least, else a busy server would never come to the end of it.
	local function build()
		local live, room = 0, max_batch / 2;
		while head + live <= tail and live < o.batch and room > 0 do
			room = room - size(queue[head + live]);
			live = live + 1;
		end
		local picture = rows(o.batch - math.min(live, math.floor(o.batch / 2)), max_batch / 2);
		if #picture > 0 then live = math.max(0, math.min(live, o.batch - #picture)); end
		if live == 0 and #picture == 0 and not hello then return nil; end
		hello = false;
		seq = seq + (gap and 2 or 1);
		gap = false;
		return { seq = seq, live = live, picture = picture };
	end

	local function element(event)
		local attr = {};
		for k, v in pairs(event.attr) do attr[k] = v; end
		if event.epoch and event.epoch ~= o.epoch then attr.epoch = event.epoch; end
		local e = st.stanza(event.name, attr);
		for _, child in ipairs(event.children or {}) do e:tag(child.name, child.attr):up(); end
		return e;
	end

	-- One that cannot be written must not hold up the others.
	local function add_event(iq, event)
		local ok, e = pcall(element, event);
		if ok then
			iq:add_child(e);
		else
			module:log("error", "Leaving out an event (%s): %s", event.name, tostring(e));
		end
	end

	local function stanza_of(b)
		local iq = st.iq({ type = "set", from = module.host, to = o.component, id = new_id() })
			:tag("events", { xmlns = xmlns, epoch = o.epoch, seq = string.format("%d", b.seq) });
		for i = head, head + b.live - 1 do add_event(iq, queue[i]); end
		for _, row in ipairs(b.picture) do add_event(iq, row); end
		return iq:reset();
	end

	-- The batch on its way is done with, taken or not.
	local function finish()
		for i = head, head + batch.live - 1 do
			o.saved.gone(queue[i]);
			queue[i] = nil;
		end
		head, batch = head + batch.live, nil;
		poke();
	end

	local function taken()
		delay, last_taken = retry_min, now();
		finish();
		waiting_since = tail >= head and now() or nil;
	end

	local function again(after)
		retry = module:add_timer(after, o.guard("repeating", function () retry = nil; pump(); end));
	end

	-- kind, condition: of the error, or of what send_iq made of silence. never_left: the server itself bounced it.
	local function refused(kind, condition, never_left)
		if not never_left then
			for i = head, head + batch.live - 1 do queue[i].tried = true; end
		end
		if kind == "modify" or kind == "auth" then
			module:log("error", "rouse refuses events from %s (%s): %d are dropped; see component.hosts in rouse's configuration",
				module.host, condition, batch.live);
			return finish();
		end
		module:log(never_left and "debug" or "info", "Batch %d was not taken (%s), repeating it", batch.seq, condition);
		if kind == "cancel" then
			again(retry_max);
		else
			again(delay);
			delay = math.min(delay * 2, retry_max);
		end
	end

	function pump()
		if on_the_way or retry then return; end
		batch = batch or build();
		if not batch then return; end
		local mine = {}; -- an answer that comes after the link went down is not ours any more
		on_the_way = mine;
		local function done(f)
			return o.guard("answer to a batch", function (answer)
				if on_the_way ~= mine then return; end
				on_the_way = false;
				f(answer);
			end);
		end
		-- send_iq resolves, with the error stanza, when the server itself bounces the request.
		module:send_iq(stanza_of(batch), nil, o.answer_timeout):next(done(function (answer)
			if answer.stanza.attr.type == "error" then
				local kind, condition = answer.stanza:get_error();
				return refused(kind, condition, answer.stanza:find("error/{xmpp:prosody.im/protocol/component}not-connected")
					or answer.stanza:get_child("not-connected", "xmpp:prosody.im/protocol/component"));
			end
			taken();
		end), done(function (err)
			if type(err) ~= "table" then err = { type = "wait", condition = tostring(err) }; end
			refused(err.type, err.condition);
		end));
	end

	-- Makes room for a tenth of the queue: the oldest reports of single stanzas, then the oldest of all.
	local function make_room()
		local first = head + (batch and batch.live or 0);
		local too_many = math.max(1, math.floor(o.max_queue / 10));
		local keep, dropped, saved_kept = {}, 0, 0;
		for _, all in ipairs { false, true } do
			for i = first, tail do
				if queue[i] and dropped < too_many and (all or stanza_events[queue[i].name]) then
					o.saved.gone(queue[i]);
					queue[i] = nil;
					dropped = dropped + 1;
				end
			end
		end
		for i = head, tail do
			if queue[i] then
				keep[#keep+1] = queue[i];
				if queue[i].chunk then saved_kept = #keep; end
			end
		end
		queue, head, tail = keep, 1, #keep;
		o.saved.renumbered(saved_kept);
		gap = true;
		module:log("warn", "The queue for rouse is full (rouse_max_queue = %d): %d events are dropped", o.max_queue, dropped);
	end

	function self.add(event)
		local _, too_long = size(event);
		if too_long then
			module:log("warn", "Leaving out an event (%s) of %s: an attribute is longer than %d bytes", event.name, tostring(event.attr.user), max_value);
			return;
		end
		if tail - head + 1 >= o.max_queue then make_room(); end
		tail, added = tail + 1, added + 1;
		queue[tail], event.order = event, added;
		event.epoch = event.epoch or o.epoch;
		event.at = now();
		waiting_since = waiting_since or event.at;
		o.saved.changed();
		poke();
	end

	-- Events from index on, for saving; the index of the last one.
	function self.from(index)
		return queue, math.max(index, head), tail;
	end

	-- Says on every report about this stanza that the server itself has published. False: none of them waits, or
	-- rouse may have seen one already.
	function self.mark(user, key, service, node)
		local marked, certain = false, true;
		for i = tail, head, -1 do
			local event = queue[i];
			if event.at < now() - 120 then break; end
			if event.attr.user == user and event.attr.key == key and event.name ~= "published" then
				event.children = event.children or {};
				table.insert(event.children, { name = "published", attr = { service = service, node = node } });
				marked, certain = true, certain and not event.tried;
			end
		end
		return marked and certain;
	end

	-- Gives a function that says whether everything that waits now was taken.
	function self.behind()
		local last = added;
		return function () return head > tail or queue[head].order > last; end;
	end

	-- rouse takes nothing, and has not for so long that the server must help itself.
	function self.away()
		return waiting_since ~= nil and now() - waiting_since > o.fallback;
	end

	-- How many events wait, when a batch was last taken, and whether rouse is away.
	function self.state()
		return math.max(0, tail - head + 1), last_taken, self.away();
	end

	function self.connected()
		if retry then retry:stop(); retry = nil; end
		delay, hello = retry_min, true;
		poke();
	end

	function self.disconnected()
		waiting_since = waiting_since or now();
		if on_the_way then
			on_the_way = false;
			refused("wait", "the link went down");
		end
	end

	self.poke = poke;
	return self;
end
