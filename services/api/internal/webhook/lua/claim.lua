-- Takes the lease of a queue's webhook, if it is free or was another worker's that is gone.
--
-- KEYS[1] -> hash: how the webhook is
-- ARGV[1] -> the channel's record
-- ARGV[2] -> the webhook's field in it
-- ARGV[3] -> the worker
-- ARGV[4] -> the worker that is gone; '': none
--
-- Returns {1: taken, 0: another worker has it, -1: there is no such webhook; fencing token; who has it}
local call = redis.call
if call('HEXISTS', ARGV[1], ARGV[2]) == 0 then return {-1, 0, ''} end
local holder = call('HGET', KEYS[1], 'worker') or ''
if holder ~= '' and holder ~= ARGV[3] and holder ~= ARGV[4] then return {0, 0, holder} end
-- The time is in it: a webhook that was taken away and made anew has another token than before.
local t = call('TIME')
local token = math.max(t[1] * 1000000 + t[2], (tonumber(call('HGET', KEYS[1], 'fence') or '') or 0) + 1)
call('HSET', KEYS[1], 'worker', ARGV[3], 'fence', string.format('%.0f', token))
return {1, token, ARGV[3]}
