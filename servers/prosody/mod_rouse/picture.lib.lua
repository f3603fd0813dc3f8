-- The picture: all sessions and registrations, as they are at the moment each row is sent.

-- o: sessions, endpoints, row(name, attr, children)
return function (o)
	local rows; -- a coroutine that yields one row at a time, while a picture is under way
	local self = {};

	local function show()
		coroutine.yield(o.row("begin", {}));
		for _, session in ipairs(o.sessions.list()) do
			local s = o.sessions.get(session);
			if s then
				local state = o.sessions.state(session);
				local attr = { user = session.username, sid = s.sid, n = string.format("%d", s.n), resource = session.resource, client = session.client_id, state = state };
				local waits = state == "hibernated" or state == "delayed";
				coroutine.yield(o.row("session", o.sessions.numbers(session, attr), waits and o.sessions.unread(session) or nil));
			end
		end
		for _, user in ipairs(o.endpoints.users()) do
			local owners = {};
			local account = prosody.hosts[module.host].sessions[user];
			for _, session in pairs(account and account.sessions or {}) do
				local s = session.push_identifier and o.sessions.get(session);
				if s then owners[session.push_identifier] = s.sid; end
			end
			for id, info in pairs(o.endpoints.read(user)) do
				local attr = o.endpoints.attr(info);
				attr.user, attr.sid = user, owners[id];
				coroutine.yield(o.row("endpoint", attr));
			end
		end
		coroutine.yield(o.row("end", {}));
	end

	-- Begins a picture, or begins it again.
	function self.start() rows = coroutine.create(show); end

	-- Up to n further rows.
	function self.rows(n)
		local list = {};
		while rows and #list < n do
			local ok, row = coroutine.resume(rows);
			if not ok then
				module:log("error", "The picture breaks off: %s", tostring(row));
				rows = nil;
			elseif not row then
				rows = nil;
			else
				list[#list+1] = row;
			end
		end
		return list;
	end

	return self;
end
