-- Takes a process off the list and lets go of its leases. The fences stay.
local processes, alive, leases = unpack(KEYS)
redis.call('HDEL', processes, ARGV[1])
redis.call('ZREM', alive, ARGV[1])
local all = redis.call('HGETALL', leases)
for i = 1, #all, 2 do
  local fence, holder = string.match(all[i + 1], '^%d+ (%d+) (.*)$')
  if holder == ARGV[1] then redis.call('HSET', leases, all[i], '0 ' .. fence .. ' ') end
end
return 1
