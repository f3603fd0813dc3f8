// Package redis keeps the store in Redis: what several rouse share, on one or many
// machines. It runs on a single Redis from 6.2 on, on one that Sentinel watches, and
// on Redis Cluster; on all of them a decision is one script on one slot.
//
// # Who sends
//
// One goroutine for each Redis sends. It takes the commands that gathered while the
// last round trip was under way, and answers all of them when the next one is over.
// A call that Redis cannot serve now (a failover, a slot on its way, a connection
// that broke) is tried again for 10 seconds. Whatever is sent can be sent again: a
// commit brings its new version along, so a script sees that it has run before.
//
// While a slot of a cluster moves, Redis runs no script in it (TRYAGAIN), so its
// shards wait until it has moved.
//
// # What is durable
//
// With Fast an answer means that it is in the memory of the master. With Safe it is
// on the master's disk, and on one replica too if any follows it: from Redis 7.2 on
// each round trip ends with WAITAOF 1 R (R is 1 with a replica, and 0 without), before
// it with WAIT 1, and then the disk needs appendfsync always. What is not confirmed
// within 2 seconds is an error, and tried again. WAITAOF is tested against a stand-in,
// and not against a Redis that has it.
//
// A replica that is gone has to confirm for 5 seconds more: it may be on its way to be
// the master, and what the old one takes meanwhile is thrown away. After that the
// master goes on alone, and then a replica that comes back and is made master before
// it has its first copy takes away what was stored without it. Who would rather wait
// sets min-replicas-to-write 1 in redis.conf; that also stops a master which a network
// has cut off from its replicas and Sentinels.
//
// A Redis that was started again, or took over from another, may lack what was
// written last. Store notices by its run id and role, and calls Options.OnSetback.
//
// # What is in Redis
//
// A shard is a number, 0 to 1023, that follows from the key of an owner, a node, a
// host or a name (store.Shard). All that is in it has its number in braces in front.
//
//	{N}o          hash: owners by key; each is version, a space, counts, account
//	{N}p:OWNER    hash: pending wakes by "class service node", while there are some
//	{N}r:OWNER    list: reasons, the oldest first; it expires when the last is too old
//	{N}due        sorted set: the pending wakes of the shard by class and due time
//	{N}c          hash: how many sessions, endpoints and registrations the shard has
//	{N}g:NODE     registration; a tombstone expires
//	{N}h:HOST     reporter; of a cluster one for each node, h:HOST NODE
//	{N}m:NAME     what Keep holds
//	{0}processes  hash: store.Process as JSON by id
//	{0}alive      sorted set: ids, and when they were last heard of; gone:ID, and when
//	              somebody was told that it is gone
//	{0}leases     hash: by name, when it ends, its fence, its holder
//	{0}told:…     who was told of a process that is gone, for a minute
//	{0}format     "rouse 1"
//
// Times are nanoseconds since 1970, or in the scores of due (see lua/common.lua)
// microseconds since 2020. Counts are letters and numbers: a, i, d and h for sessions
// that are active, inactive, delayed and hibernated, e for endpoints. Accounts,
// reasons, registrations and reporters are JSON arrays that leave out zeros at their
// end, in the order in which codec.go and rows.go write them; wakes are words. FCM's
// long tokens are in plain strings: a hash for each registration would take double.
//
// The reasons of a user, as people may ask for them (668 is the shard, which
// `redis-cli --scan --pattern '*r:juliet@example.org'` tells):
//
//	redis-cli LRANGE '{668}r:juliet@example.org' 0 -1
//
// # Rights
//
// rouse wants a database for itself, and needs no more than this of a user:
//
//	user rouse on >secret resetchannels ~{*}* -@all +info +select +wait +scan +time +evalsha +eval
//	  +get +set +del +expire +pexpire +hget +hset +hdel +hkeys +hgetall +hexists +hincrby
//	  +zadd +zrem +zcard +zscore +zrange +zrangebyscore +rpush +lpop +lrange +lindex +ltrim
//
// On Redis Cluster it needs +cluster|slots and +asking too, and from Redis 7.2 on
// +waitaof. With +config|get `rouse check` can look at the settings of Redis.
package redis
