-- The wakes of a shard that are due soonest, up to a number of each class.
local out = {}
for rank = 0, 7 do
  local first, last = string.format('%.0f', rank * 1e15), string.format('%.0f', rank * 1e15 + 999999999999999)
  local found = redis.call('ZRANGEBYSCORE', KEYS[1], first, last, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
  for i = 1, #found do out[#out + 1] = found[i] end
end
return out
