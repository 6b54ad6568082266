-- Drops what is older than the retention from a queue that nobody touches.
--
-- KEYS[1] -> the queue's stream
-- KEYS[2] -> its meta
-- KEYS[3] -> the partition's queues by oldest message
-- ARGV[1] -> retention, ms
-- ARGV[2] -> the queue's name among the partition's queues
--
-- Returns {how many messages were dropped}
local stream, meta, oldest = unpack(KEYS)
if redis.call('EXISTS', stream) == 0 then
  redis.call('ZREM', oldest, ARGV[2])
  return {0}
end
local expired = expire(stream, now_ms(), tonumber(ARGV[1]))
find_head(stream, meta, oldest, ARGV[2])
return {expired}
