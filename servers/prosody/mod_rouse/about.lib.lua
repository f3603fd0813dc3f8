-- What `rouse check` wants to know of the server (docs/events.md, "About").

local st = require "util.stanza";
local now = require "util.time".now;
local is_loaded = require "core.modulemanager".is_loaded;

local beside = { "cloud_notify", "smacks", "mam", "csi", "csi_simple", "carbons", "offline" };

local function whole(n) return string.format("%d", math.floor(n)); end

-- o: xmlns, component, state() -> events that wait, time when a batch was last taken or nil, whether rouse is away
return function (o)
	return function ()
		local waiting, taken, away = o.state();
		local about = st.stanza("about", {
			xmlns = o.xmlns, module = "1", software = "Prosody", version = prosody.version,
			t = whole(now() * 1000), waiting = whole(waiting), taken = taken and whole(taken * 1000), away = away and "true" or nil,
		});
		for _, name in ipairs(beside) do
			if is_loaded(module.host, name) then about:tag("beside", { name = name }):up(); end
		end
		local function setting(name, value)
			if value ~= nil then about:tag("setting", { name = name, value = tostring(value) }):up(); end
		end
		setting("ack-delay", module:get_option_number("smacks_max_ack_delay", 30));
		setting("read-timeout", (module:get_option("network_settings") or {}).read_timeout or 14 * 60);
		setting("resume-timeout", module:get_option_number("smacks_hibernation_time", 600));
		setting("fallback", module:get_option_number("rouse_fallback", 30));
		if prosody.hosts[o.component] then
			setting("conflict", module:context(o.component):get_option_string("component_conflict_resolve", "kick_new"));
		end
		return about;
	end
end
