-- Makes a channel's record, if there is none.
--
-- KEYS[1] -> the record
-- KEYS[2] -> the partition's channels
-- ARGV[1] -> channel
-- ARGV[2] -> what the operator said, JSON
-- ARGV[3] -> salt of its credentials' digests, hex
-- ARGV[4] -> its first revision: one that no channel of this name had before
--
-- Returns {1: made, 0: there is one}
if redis.call('EXISTS', KEYS[1]) == 1 then return {0} end
redis.call('HSET', KEYS[1], 'channel', ARGV[2], 'revision', ARGV[4], 'salt', ARGV[3])
redis.call('ZADD', KEYS[2], '0', ARGV[1])
return {1}
