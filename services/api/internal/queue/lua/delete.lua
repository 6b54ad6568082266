-- Deletes a channel: its record, and its queues with what they hold.
--
-- KEYS[1] -> hash: the channel's record
-- KEYS[2] -> sorted set: the partition's channels
-- KEYS[3] -> sorted set: which of them were heard
-- KEYS[4] -> hash: messages and bytes in all the partition's queues
-- KEYS[5], KEYS[6], KEYS[7] -> sorted sets: the partition's queues by oldest, due, depth
-- KEYS[8] … KEYS[7 + q] -> the streams of the channel's q queues
-- KEYS[8 + q] … KEYS[7 + 2q] -> their metas
-- KEYS[8 + 2q] … -> everything else that the queues have
-- ARGV[1] -> revision that the record is to have; '': there may be no record
-- ARGV[2] -> channel
-- ARGV[3] … ARGV[2 + q] -> the queues' names in the sorted sets
--
-- Returns {1: deleted, 0: it has another revision, -1: no such channel; messages that were in its queues}
local revision = redis.call('HGET', KEYS[1], 'revision')
if ARGV[1] == '' then
  if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return {-1, 0} end
  if revision then return {0, 0} end
elseif not revision then return {-1, 0}
elseif revision ~= ARGV[1] then return {0, 0} end
local queues, messages, bytes = #ARGV - 2, 0, 0
for q = 1, queues do
  messages = messages + redis.call('XLEN', KEYS[7 + q])
  local m = redis.call('HMGET', KEYS[7 + queues + q], 'head', 'tail')
  bytes = bytes + (tonumber(m[2]) or 0) - (tonumber(m[1]) or 0)
  for set = 5, 7 do redis.call('ZREM', KEYS[set], ARGV[2 + q]) end
end
if messages > 0 then redis.call('HINCRBY', KEYS[4], 'messages', string.format('%.0f', -messages)) end
if bytes > 0 then redis.call('HINCRBY', KEYS[4], 'bytes', string.format('%.0f', -bytes)) end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('UNLINK', KEYS[1])
for i = 8, #KEYS do redis.call('UNLINK', KEYS[i]) end
return {1, messages}
