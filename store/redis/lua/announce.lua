-- Notes that a process lives, by the store's clock, takes off the list those that
-- were silent for too long, and gives them. What was told stands under `told` for a
-- while: a caller whose answer got lost asks again.
local processes, alive, told = unpack(KEYS)
local id, process, silence = unpack(ARGV)
local before = redis.call('LRANGE', told, 0, -1)
if #before > 0 then return before end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', processes, id, process)
redis.call('ZADD', alive, string.format('%.0f', now), id)
local gone = {}
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', alive, '-inf', '(' .. string.format('%.0f', now - silence))) do
  local p = redis.call('HGET', processes, silent)
  if p then
    gone[#gone + 1] = p
    redis.call('RPUSH', told, p)
    redis.call('PEXPIRE', told, 60000)
  end
  redis.call('HDEL', processes, silent)
  redis.call('ZREM', alive, silent)
end
return gone
