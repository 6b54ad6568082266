-- Changes what an operator said of a channel, if nobody else has meanwhile.
--
-- KEYS[1] -> hash: the record
-- ARGV[1] -> the revision that the change was made from
-- ARGV[2] -> what the operator says, JSON
-- ARGV[3] -> its own retention, ms; '': none
--
-- Returns {1: changed, 0: it has another revision, -1: no such channel; the revision it has now}
local revision = redis.call('HGET', KEYS[1], 'revision')
if not revision then return {-1, 0} end
if revision ~= ARGV[1] then return {0, tonumber(revision)} end
redis.call('HSET', KEYS[1], 'channel', ARGV[2], 'retention', ARGV[3])
return {1, redis.call('HINCRBY', KEYS[1], 'revision', 1)}
