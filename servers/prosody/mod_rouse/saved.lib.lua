-- Events that rouse does not take within a second lie in the module's own store, in chunks, until it does.

local size = 100; -- events in a chunk; only the newest chunk is ever written again
local key_format = "q@%d"; -- no account can have such a name, so no removal of an account removes a chunk

return function (guard)
	local store = module:open_store("rouse");
	local chunks = {}; -- id -> how many of its events are still in the queue
	local newest = { id = 0, events = {} };
	local queue; -- set by attach
	local saved_to = 0; -- index in the queue of the last event that is saved
	local timer;
	local self = {};

	-- A number that is greater than at every earlier start, also when the clock went back.
	function self.epoch(time)
		local meta = store:get("@") or {};
		local epoch = math.max(time, (tonumber(meta.epoch) or 0) + 1);
		local text = string.format("%d", epoch);
		local ok, err = store:set("@", { epoch = text });
		if not ok then module:log("error", "Cannot save the epoch, rouse may miss a restart: %s", tostring(err)); end
		return text;
	end

	-- Puts what an earlier run left behind into the queue.
	function self.attach(q)
		queue = q;
		local ids = {};
		local names, state = store:users();
		if names then
			for name in names, state do
				local id = tonumber(name:match("^q@(%d+)$"));
				if id then ids[#ids+1] = id; end
			end
		end
		table.sort(ids);
		for _, id in ipairs(ids) do
			local events = (store:get(key_format:format(id)) or {}).events or {};
			chunks[id] = #events;
			newest.id = id;
			for _, event in ipairs(events) do
				event.chunk, event.tried = id, true;
				queue.add(event);
			end
		end
		newest = { id = newest.id + 1, events = {} };
		local _, _, tail = queue.from(1);
		saved_to = tail;
	end

	local function write()
		local events = {};
		for _, event in ipairs(newest.events) do
			if event.chunk then
				events[#events+1] = { name = event.name, attr = event.attr, children = event.children, epoch = event.epoch };
			end
		end
		local ok, err = store:set(key_format:format(newest.id), #events > 0 and { events = events } or nil);
		if not ok then module:log("error", "Cannot save events for rouse, a restart would lose them: %s", tostring(err)); end
	end

	-- Saves every event that is not saved yet.
	function self.save()
		local events, first, tail = queue.from(saved_to + 1);
		if first > tail then return; end
		for i = first, tail do
			events[i].chunk = newest.id;
			table.insert(newest.events, events[i]);
			chunks[newest.id] = (chunks[newest.id] or 0) + 1;
			if #newest.events >= size then
				write();
				newest = { id = newest.id + 1, events = {} };
			end
		end
		if #newest.events > 0 then write(); end
		saved_to = tail;
	end

	-- Something was added to the queue.
	function self.changed()
		timer = timer or module:add_timer(1, guard("saving", function () timer = nil; self.save(); end));
	end

	-- An event has left the queue.
	function self.gone(event)
		local id = event.chunk;
		if not id then return; end
		event.chunk = nil;
		chunks[id] = chunks[id] - 1;
		if chunks[id] == 0 then
			chunks[id] = nil;
			if id == newest.id then newest = { id = id + 1, events = {} }; end
			store:set(key_format:format(id), nil);
		end
	end

	-- The queue's indices begin at 1 again; so many events at its head are saved.
	function self.renumbered(saved)
		saved_to = saved;
	end

	return self;
end
