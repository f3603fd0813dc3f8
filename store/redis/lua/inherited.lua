-- All was done for a process that is gone: nobody is told of it any more.
local processes, alive = unpack(KEYS)
redis.call('HDEL', processes, 'gone:' .. ARGV[1])
redis.call('ZREM', alive, 'gone:' .. ARGV[1])
return 1
