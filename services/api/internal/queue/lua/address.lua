-- Keeps the address that a channel's phone says it has, if the channel is there.
--
-- KEYS[1] -> <queue>:activity, hash
-- ARGV[1] -> what the keys of the partition start with
-- ARGV[2] -> channel
-- ARGV[3] -> address
--
-- Returns {1: kept, 0: there is no such channel}
if not redis.call('ZSCORE', ARGV[1] .. 'channels', ARGV[2]) then return {0} end
redis.call('HSET', KEYS[1], 'address', ARGV[3])
return {1}
