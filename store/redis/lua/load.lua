-- An owner and its pending wakes as of one moment.
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HGETALL', KEYS[2])}
