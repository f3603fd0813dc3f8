-- Keeps the first value given under a name, and gives what is kept.
local kept = redis.call('GET', KEYS[1])
if kept or ARGV[1] == '' then return kept or '' end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
