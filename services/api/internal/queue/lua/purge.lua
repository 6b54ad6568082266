-- Takes every message out of a queue, if it holds as many as the operator saw, and its dead letters. What was taken
-- before is forgotten: who sends it again after a purge means it.
--
-- ARGV[8] -> how many messages it is to hold
--
-- Returns {1: purged, 0: it holds another number; how many it held}
local q = load()
local messages, bytes = q.messages, q.tail - q.head
if q.epoch ~= '' then measure(q) end
if q.messages ~= tonumber(ARGV[8]) then
  account(q, messages, bytes)
  save(q)
  return {0, q.messages}
end
local purged = q.messages
if purged > 0 then
  acknowledge(q, '+')
  call('XTRIM', STREAM, 'MAXLEN', '=', 0)
  set(q, 'messages', 0)
  set(q, 'pending', 0)
  begin_at(q)
  account(q, messages, bytes)
end
call('UNLINK', STREAM .. ':seen', STREAM .. ':seen_before', DEAD)
set(q, 'rotate_at', 0) -- the next generation of digests is given an end of its own
count_dead()
if q.epoch ~= '' then save(q) end
return {1, purged}
