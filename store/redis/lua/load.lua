-- An owner and its pending wakes as of one moment.
return {redis.call('GET', KEYS[1]), redis.call('HGETALL', KEYS[2])}
