-- Deletes a channel: its record, and its queues with everything they have.
--
-- KEYS[1] -> hash: the channel's record
-- ARGV[1] -> what the keys of the partition start with
-- ARGV[2] -> channel
-- ARGV[3] -> revision that the record is to have; '': there may be no record
-- ARGV[4] -> what the keys of wake streams start with
-- ARGV[5], … -> kinds of queues
--
-- Returns {1: deleted, 0: it has another revision, -1: no such channel; messages that were in its queues}
local call = redis.call
local PARTITION, CHANNEL, REVISION, WAKES = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local revision = call('HGET', KEYS[1], 'revision')
if REVISION == '' then
  if not call('ZSCORE', PARTITION .. 'channels', CHANNEL) then return {-1, 0} end
  if revision then return {0, 0} end
elseif not revision then return {-1, 0}
elseif revision ~= REVISION then return {0, 0} end

local messages, bytes, dead = 0, 0, 0
for i = 5, #ARGV do
  local name = CHANNEL .. ':' .. ARGV[i]
  local stream = PARTITION .. 'q:' .. name
  local q = call('HMGET', stream .. ':meta', 'messages', 'head', 'tail', 'waiter')
  messages = messages + (tonumber(q[1]) or 0)
  bytes = bytes + (tonumber(q[3]) or 0) - (tonumber(q[2]) or 0)
  local replica, poll = string.match(q[4] or '', '^%d+ (%S+) (%S+)')
  if replica then call('XADD', WAKES .. replica, 'NOMKSTREAM', '*', 'poll', poll, 'what', 'wake') end
  dead = dead + tonumber(call('ZSCORE', PARTITION .. 'dead', name) or 0)
  for _, index in ipairs({'oldest', 'due', 'depth', 'dead', 'dead_oldest', 'webhooks'}) do call('ZREM', PARTITION .. index, name) end
  for _, part in ipairs({'', ':meta', ':seen', ':seen_before', ':dead', ':states', ':activity', ':webhook',
    ':holes', ':ends', ':unreported', ':traces'}) do call('UNLINK', stream .. part) end
end
if messages > 0 then call('HINCRBY', PARTITION .. 'totals', 'messages', -messages) end
if bytes > 0 then call('HINCRBY', PARTITION .. 'totals', 'bytes', -bytes) end
if dead > 0 then call('HINCRBY', PARTITION .. 'totals', 'dead', -dead) end
call('ZREM', PARTITION .. 'channels', CHANNEL)
call('ZREM', PARTITION .. 'last_seen', CHANNEL)
call('ZREM', PARTITION .. 'hints', CHANNEL)
call('UNLINK', PARTITION .. 'gaps:' .. CHANNEL, PARTITION .. 'hours:' .. CHANNEL)
call('UNLINK', KEYS[1])
return {1, messages}
