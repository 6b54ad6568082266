-- Deletes a channel: its record, and its queues with what they hold.
--
-- KEYS[1] -> the channel's record
-- KEYS[2] -> the partition's channels
-- KEYS[3] -> the partition's queues by oldest message
-- KEYS[4] -> the partition's queues by when that is over its age
-- KEYS[5] … KEYS[4 + q] -> the channel's queues' streams, q of them
-- KEYS[5 + q] … -> everything else that the queues have
-- ARGV[1] -> revision that the record is to have; '': there may be no record
-- ARGV[2] -> channel
-- ARGV[3] … ARGV[2 + q] -> the queues' names among the partition's queues
--
-- Returns {1: deleted, 0: it has another revision, -1: no such channel; messages that were in its queues}
local revision = redis.call('HGET', KEYS[1], 'revision')
if ARGV[1] == '' then
  if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return {-1, 0} end
elseif not revision then return {-1, 0}
elseif revision ~= ARGV[1] then return {0, 0} end
local messages = 0
for i = 3, #ARGV do
  messages = messages + redis.call('XLEN', KEYS[i + 2])
  redis.call('ZREM', KEYS[3], ARGV[i])
  redis.call('ZREM', KEYS[4], ARGV[i])
end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('UNLINK', KEYS[1])
for i = 5, #KEYS do redis.call('UNLINK', KEYS[i]) end
return {1, messages}
