-- Drops what is older than the retention from a queue that nobody touches.
--
-- KEYS[1] -> the queue's stream
-- KEYS[2] -> its meta
-- KEYS[3] -> the partition's queues by oldest message
-- KEYS[4] -> the partition's queues by when that is over its age
-- ARGV[1] -> the queue's name among the partition's queues
-- ARGV[2] -> retention, ms; 0: for ever; '': as it last was
--
-- Returns {how many messages were dropped}
local k = {stream = KEYS[1], meta = KEYS[2], oldest = KEYS[3], due = KEYS[4]}
local member = ARGV[1]
if redis.call('EXISTS', k.stream) == 0 then
  redis.call('ZREM', k.oldest, member)
  redis.call('ZREM', k.due, member)
  return {0}
end
local retention = tonumber(ARGV[2]) or tonumber(redis.call('HGET', k.meta, 'retention') or '0')
local expired = expire(k.stream, now_ms(), retention)
find_head(k, member, retention)
return {expired}
