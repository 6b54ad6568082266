-- Gives the turn to look at a partition to the first replica that asks, for some time.
--
-- KEYS[1] -> hash, expires: the replica that has the turn
-- ARGV[1] -> the calling replica
-- ARGV[2] -> for how long, ms
--
-- Returns {1: it is the caller's turn, 0: another replica has it, or has had it}
if redis.call('HSETNX', KEYS[1], 'replica', ARGV[1]) == 0 then return {0} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {1}
