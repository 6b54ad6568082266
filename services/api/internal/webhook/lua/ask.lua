-- Notes what an operator wants of a queue's webhook, and has its worker look.
--
-- KEYS[1] -> hash: how the webhook is
-- ARGV[1] -> sorted set: the partition's queues with a webhook, by when they were changed
-- ARGV[2] -> the queue's name in it
-- ARGV[3], … -> fields and their values
--
-- Returns {1: noted, 0: there is no such webhook}
local call = redis.call
if not call('ZSCORE', ARGV[1], ARGV[2]) then return {0} end
local t = call('TIME')
call('HSET', KEYS[1], unpack(ARGV, 3))
call('ZADD', ARGV[1], t[1] .. string.format('%06d', t[2]), ARGV[2])
return {1}
