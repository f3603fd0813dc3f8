-- One decision about an owner: state, wakes and reasons, if the version is the one
-- that it was made from. Gives 1, or 0 where it is another.
--
-- from: the version, "0" for nobody, "*" to write over what is there
-- to:   the new version; "0" to forget the owner
-- again: "1" if an earlier try may have done it
local owners, pending, reasons, due, counters = unpack(KEYS)
local from, to, again, name, counts, value = unpack(ARGV, 1, 6)
local drops, puts, keep, horizon, age = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10], ARGV[11]

local version, old = read(owners, name)
if version ~= from and from ~= '*' then
  if version == to and again == '1' then return 1 end
  return 0
end
if from == '*' or to == '0' then
  for _, field in ipairs(redis.call('HKEYS', pending)) do
    redis.call('ZREM', due, member(name, field))
  end
  redis.call('DEL', pending, reasons)
end
bump(counters, old, counts)
if to == '0' then
  redis.call('HDEL', owners, name)
  return 1
end
redis.call('HSET', owners, name, value)

local at = 12
for _ = 1, drops do
  local field = ARGV[at]
  at = at + 1
  if redis.call('HDEL', pending, field) == 1 then
    redis.call('ZREM', due, member(name, field))
  end
end
for _ = 1, puts do
  local field, row = ARGV[at], ARGV[at + 1]
  at = at + 2
  local lease = string.sub(row, 21, 39)
  if tonumber(lease) ~= 0 then
    -- Who claimed it is known here alone.
    local was = redis.call('HGET', pending, field)
    if was and string.sub(was, 21, 39) == lease then
      local process = string.match(was, '^%d+ %d+ (%S+) ')
      row = string.gsub(row, '^(%d+ %d+) %S+ ', function(times) return times .. ' ' .. process .. ' ' end)
    end
  end
  redis.call('HSET', pending, field, row)
  redis.call('ZADD', due, score(field, row), member(name, field))
end

if at > #ARGV or keep == 0 then return 1 end
local length = redis.call('RPUSH', reasons, unpack(ARGV, at))
if length > keep then redis.call('LTRIM', reasons, -keep, -1) end
while true do
  local oldest = redis.call('LINDEX', reasons, 0)
  if not oldest or string.sub(oldest, 1, 19) >= horizon then break end
  redis.call('LPOP', reasons)
end
redis.call('EXPIRE', reasons, age)
return 1
