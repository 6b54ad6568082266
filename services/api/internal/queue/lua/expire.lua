-- Drops what is older than the retention from a queue that nobody touches.
--
-- ARGV[3] -> here also '': as it last was
--
-- Returns {how many messages were dropped}
if redis.call('EXISTS', STREAM) == 0 then
  redis.call('ZREM', OLDEST, MEMBER)
  redis.call('ZREM', DUE, MEMBER)
  redis.call('ZREM', DEPTH, MEMBER)
  return {0}
end
local messages_before, bytes_before = measure()
local retention = tonumber(ARGV[3]) or tonumber(redis.call('HGET', META, 'retention') or '0')
local expired = expire(now_ms(), retention)
find_head(retention)
if expired > 0 then account(messages_before, bytes_before, measure()) end
return {expired}
