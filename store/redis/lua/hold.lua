-- Gives a lease to a process, or renews it, unless another one has it. The fence of
-- a new holder is greater than any before: also where a failover lost the last one,
-- since it is not less than the store's clock.
local name, process, ttl = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends, fence, holder = string.match(redis.call('HGET', KEYS[1], name) or '0 0 ', '^(%d+) (%d+) (.*)$')
ends, fence = tonumber(ends), tonumber(fence)
if ends > now and holder ~= process then
  return {holder, string.format('%.0f', fence), ends - now}
end
if ends <= now or holder ~= process then
  fence = math.max(fence + 1, now)
end
redis.call('HSET', KEYS[1], name, string.format('%.0f %.0f ', now + ttl, fence) .. process)
return {process, string.format('%.0f', fence), tonumber(ttl)}
