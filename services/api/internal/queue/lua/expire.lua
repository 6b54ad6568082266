-- Drops what is over its age from a queue that nobody touches, and notes when to look again.
--
-- ARGV[8] -> bounds of dead letters: see lib/dead.lua
--
-- Returns {messages dropped, dead letters dropped}
local q = load()
trim_dead(dead_bounds(ARGV[8]), (now()))
if q.epoch == '' then
  for _, index in ipairs({'oldest', 'due', 'depth'}) do call('ZREM', PARTITION .. index, NAME) end
  return {0, dead_dropped}
end
local messages, bytes = q.messages, q.tail - q.head
measure(q)
local retention = retention_now()
local dropped = expire(q, now(), retention)
account(q, messages, bytes)
if q.due > 0 then call('ZREM', PARTITION .. 'due', NAME) end
set(q, 'due', 0)
expect_expiry(q, retention)
save(q)
return {dropped, dead_dropped}
