-- Makes a channel's record, if there is none.
--
-- KEYS[1] -> hash: the record
-- ARGV[1] -> sorted set: the partition's channels (in the slot of the record)
-- ARGV[2] -> channel
-- ARGV[3] -> what the operator said, JSON
-- ARGV[4] -> salt of its credentials' digests, hex
-- ARGV[5] -> its first revision: one that no channel of this name had before. It names the
--            channel's life, too
-- ARGV[6] -> its own retention, ms; '': none
--
-- Returns {1: made, 0: there is one}
if redis.call('EXISTS', KEYS[1]) == 1 then return {0} end
redis.call('HSET', KEYS[1], 'channel', ARGV[3], 'revision', ARGV[5], 'salt', ARGV[4], 'life', ARGV[5], 'retention', ARGV[6])
redis.call('ZADD', ARGV[1], '0', ARGV[2])
return {1}
