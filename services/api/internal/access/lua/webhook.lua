-- Gives a queue a webhook, another one, or none. Whoever was let in before asks anew: the
-- channel's life gets another name, and a poll that waits for the queue looks again.
--
-- KEYS[1] -> hash: the channel's record
-- ARGV[1] -> what the keys of the partition start with
-- ARGV[2] -> channel
-- ARGV[3] -> the webhook's field in the record
-- ARGV[4] -> kind of the queue
-- ARGV[5] -> what that field is to hold; '': nothing
-- ARGV[6] -> what it shall hold, JSON; '': nothing
-- ARGV[7] -> what the keys of wake streams start with
-- ARGV[8], … -> kinds of queues
--
-- Returns {1: done, 0: it holds something else, -1: no such channel}
local call = redis.call
local PARTITION, CHANNEL, FIELD, WAS, TEXT, WAKES = ARGV[1], ARGV[2], ARGV[3], ARGV[5], ARGV[6], ARGV[7]
local NAME = CHANNEL .. ':' .. ARGV[4]
local STREAM = PARTITION .. 'q:' .. NAME
if call('EXISTS', KEYS[1]) == 0 then return {-1} end
if (call('HGET', KEYS[1], FIELD) or '') ~= WAS then return {0} end

local t = call('TIME')
local life = t[1] .. string.format('%06d', t[2]) -- µs: no two changes of a partition have the same
if TEXT == '' then
  call('HDEL', KEYS[1], FIELD)
  call('ZREM', PARTITION .. 'webhooks', NAME)
  call('UNLINK', STREAM .. ':webhook')
else
  call('HSET', KEYS[1], FIELD, TEXT)
  call('ZADD', PARTITION .. 'webhooks', life, NAME)
  -- What stood in the way of the one before need not stand in the way of this one.
  call('HDEL', STREAM .. ':webhook', 'stopped', 'failures', 'next_try')
end

call('HSET', KEYS[1], 'life', life)
for i = 8, #ARGV do
  local meta = PARTITION .. 'q:' .. CHANNEL .. ':' .. ARGV[i] .. ':meta'
  if call('EXISTS', meta) == 1 then call('HSET', meta, 'life', life) end
end
local replica, poll = string.match(call('HGET', STREAM .. ':meta', 'waiter') or '', '^%d+ (%S+) (%S+)')
if replica then
  call('HSET', STREAM .. ':meta', 'waiter', '')
  call('XADD', WAKES .. replica, 'NOMKSTREAM', '*', 'poll', poll, 'what', 'wake')
end
return {1}
