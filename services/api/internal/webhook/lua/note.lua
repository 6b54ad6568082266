-- Notes how a queue's webhook is, for the worker that has its lease.
--
-- KEYS[1] -> hash: how the webhook is
-- ARGV[1] -> the channel's record
-- ARGV[2], ARGV[3] -> life and revision that the worker has read of it
-- ARGV[4] -> fencing token
-- ARGV[5], … -> fields and their values
--
-- Returns {1: noted, 0: the lease is another one; 1: the record is the one that was read, 0: it has changed}
local call = redis.call
if call('HGET', KEYS[1], 'fence') ~= ARGV[4] then return {0, 0} end
if #ARGV > 4 then call('HSET', KEYS[1], unpack(ARGV, 5)) end
local record = call('HMGET', ARGV[1], 'life', 'revision')
return {1, record[1] == ARGV[2] and record[2] == ARGV[3] and 1 or 0}
