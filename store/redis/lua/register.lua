-- Writes a registration over another one, and counts it. Gives 1, or 0 where the one
-- that is stored is not `from` ("*": whatever is).
-- The first line of a registration says how it is counted; tombstones are not.
local from, to, age = unpack(ARGV)
local stored = redis.call('GET', KEYS[1]) or ''
if stored == to then return 1 end
if from ~= '*' and stored ~= from then return 0 end
local function count(value, by)
  local state, app = string.match(value, '^(%a+) ([^\n]*)')
  if state == 'live' or state == 'dead' then
    local name = state .. ' ' .. app
    if redis.call('HINCRBY', KEYS[2], name, by) == 0 then redis.call('HDEL', KEYS[2], name) end
  end
end
count(stored, -1)
count(to, 1)
if age == '0' then
  redis.call('SET', KEYS[1], to)
else
  redis.call('SET', KEYS[1], to, 'PX', age)
end
return 1
