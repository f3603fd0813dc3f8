-- Notes that a process lives, by the store's clock, takes off the list those that
-- were silent for too long, and gives them. What was told stands under `told` for a
-- while: a caller whose answer got lost asks again. Who was told may die of the same
-- cause: a process that is gone is told again to whoever asks later, until all was
-- done for it.
local processes, alive, told = unpack(KEYS)
local id, process, silence = unpack(ARGV)
local before = redis.call('LRANGE', told, 0, -1)
if #before > 0 then return before end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%.0f', now)
redis.call('HSET', processes, id, process)
redis.call('ZADD', alive, stamp, id)
redis.call('HDEL', processes, 'gone:' .. id)
redis.call('ZREM', alive, 'gone:' .. id)
local gone = {}
local silent = redis.call('ZRANGEBYSCORE', alive, '-inf', '(' .. string.format('%.0f', now - silence), 'WITHSCORES')
for i = 1, #silent, 2 do
  local name = silent[i]
  local p = redis.call('HGET', processes, name)
  if string.sub(name, 1, 5) ~= 'gone:' then
    redis.call('HDEL', processes, name)
    redis.call('ZREM', alive, name)
    name = 'gone:' .. name
    if p then redis.call('HSET', processes, name, p) end
  elseif tonumber(silent[i + 1]) > now - 6 * silence then
    p = nil -- somebody is at it
  end
  if p then
    redis.call('ZADD', alive, stamp, name)
    gone[#gone + 1] = p
    redis.call('RPUSH', told, p)
    redis.call('PEXPIRE', told, 60000)
  end
end
return gone
