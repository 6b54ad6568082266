-- Drops what is over its age from a queue that nobody touches, and notes when to look again.
--
-- ARGV[8] -> bounds of dead letters: see lib/dead.lua
--
-- Returns {messages dropped, dead letters dropped, messages dropped as past their ends, 1 if some of
--          those are not reported, else 0; 1 if there are more of either, else 0}
local q = load()
trim_dead(dead_bounds(ARGV[8]), (now()))
if q.epoch == '' then
  for _, index in ipairs({'oldest', 'due', 'depth'}) do call('ZREM', PARTITION .. index, NAME) end
  return {0, dead_dropped, 0, 0, 0}
end
local messages, bytes = q.messages, q.tail - q.head
measure(q)
local retention = retention_now()
local at = now()
local dropped, older = expire(q, at, retention)
local lapsed, more = lapse(q, at)
account(q, messages, bytes)
if q.due > 0 then call('ZREM', PARTITION .. 'due', NAME) end
set(q, 'due', 0)
expect_expiry(q, retention)
if q.ends > 0 then expect(q, q.ends) end
if q.unreported > 0 then expect(q, at + 60000) end
save(q)
return {dropped, dead_dropped, lapsed, q.unreported, (more or older) and 1 or 0}
