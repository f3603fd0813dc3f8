-- The picture: all registrations and sessions, as they are at the moment each row is sent.

-- o: sessions, endpoints, row(name, attr, children), behind() -> whether what waits now was taken (see queue.lib.lua)
return function (o)
	local accounts, at; -- while a picture is under way: names, and the next one's place; 0 is <begin/>
	local is_clear;
	local self = {};

	-- The rows of one account. They are made at once, so that a row of a session never says that a report was applied
	-- which the row of its registration has not seen.
	local function rows_of(user)
		local list, owners = {}, {};
		local account = prosody.hosts[module.host].sessions[user];
		for _, session in pairs(account and account.sessions or {}) do
			local s = session.push_identifier and o.sessions.get(session);
			if s then owners[session.push_identifier] = s.sid; end
		end
		for id, info in pairs(o.endpoints.read(user)) do
			local attr = o.endpoints.attr(info);
			attr.user, attr.sid = user, owners[id];
			attr.since = info.timestamp and string.format("%d", info.timestamp * 1000);
			list[#list+1] = o.row("endpoint", attr);
		end
		for _, session in pairs(account and account.sessions or {}) do
			local s = o.sessions.get(session);
			if s then
				local state = o.sessions.state(session);
				local attr = { user = user, sid = s.sid, n = string.format("%d", s.n), resource = session.resource, client = session.client_id, state = state };
				local waits = state == "hibernated" or state == "delayed";
				list[#list+1] = o.row("session", o.sessions.numbers(session, attr), waits and o.sessions.unread(session) or nil);
			end
		end
		return list;
	end

	local function next_rows()
		if at == 0 then return { o.row("begin", {}) }; end
		if at > #accounts then return { o.row("end", {}) }; end
		return rows_of(accounts[at]);
	end

	-- What was reported before the picture is told before it begins, and what was reported while it was made before it
	-- ends: else its end would end a session whose last words are still in the queue.
	local function has_to_wait()
		if at > 0 and at <= #accounts then return false; end
		is_clear = is_clear or o.behind();
		return not is_clear();
	end

	-- Begins a picture, or begins it again.
	function self.start()
		local seen = {};
		accounts, at, is_clear = {}, 0, nil;
		local function add(user)
			if not seen[user] then
				seen[user] = true;
				accounts[#accounts+1] = user;
			end
		end
		for user in pairs(prosody.hosts[module.host].sessions) do add(user); end
		for _, user in ipairs(o.endpoints.users()) do add(user); end
	end

	-- About n further rows: whole accounts, one at least.
	function self.rows(n)
		local list = {};
		while accounts and #list < n and not has_to_wait() do
			local ok, rows = pcall(next_rows);
			if not ok then
				module:log("error", "The picture breaks off: %s", tostring(rows));
				accounts = nil;
				break;
			end
			if #list > 0 and #list + #rows > n then break; end
			for _, row in ipairs(rows) do list[#list+1] = row; end
			at, is_clear = at + 1, nil;
			if at > #accounts + 1 then accounts = nil; end
		end
		return list;
	end

	return self;
end
