-- Does once whatever the other scripts do, so that a right that is missing shows
-- when the store is opened, and not in the middle of a decision.
local k = KEYS[1]
local failed
local function try(...)
  local got = redis.pcall(...)
  if type(got) == 'table' and got.err and not failed then failed = got.err .. ' (' .. (...) .. ')' end
end
try('DEL', k)
try('SET', k, 'ab', 'PX', 60000)
try('GET', k)
try('PEXPIRE', k, 60000)
try('DEL', k)
try('HSET', k, 'f', 1)
try('HGET', k, 'f')
try('HKEYS', k)
try('HGETALL', k)
try('HINCRBY', k, 'f', 1)
try('HDEL', k, 'f')
try('ZADD', k, 1, 'm')
try('ZRANGEBYSCORE', k, 0, 1)
try('ZREM', k, 'm')
try('RPUSH', k, 'a', 'b')
try('LTRIM', k, 0, 0)
try('LRANGE', k, 0, -1)
try('LINDEX', k, 0)
try('EXPIRE', k, 60)
try('LPOP', k)
try('TIME')
if failed then return redis.error_reply(failed) end
return 1
