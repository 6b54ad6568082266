-- Forgets the waiter, if it is this poll.
--
-- ARGV[8] -> poll of the calling replica
--
-- Returns {1 if it was, else 0}
local q = load()
local was = string.match(q.waiter, '^%d+ (%S+ %S+)') == REPLICA .. ' ' .. ARGV[8]
if was then
  set(q, 'waiter', '')
  save(q)
end
return {was and 1 or 0}
