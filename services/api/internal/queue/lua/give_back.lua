-- Takes back a delivery to a held poll that did not reach its client: it does not count. The
-- messages are pending, and go out first with the next pull. If a pull has come since, it has
-- read them already, and there is nothing to take back.
--
-- ARGV[8] -> poll of the calling replica that was given them; '': of an answer that was cut at once
-- ARGV[9], … -> ids of the entries
--
-- Returns {entries whose delivery does not count any more}
local q = load()
local poll = ARGV[8]
if poll ~= '' then
  if q.handed ~= REPLICA .. ' ' .. poll then return {0} end
  set(q, 'handed', '')
end
-- The last answer is what is left of it; if that is nothing, it was none, and has not failed (see lib/suspect.lua).
if q.answer ~= '' and #ARGV > 8 then
  local before = call('XREVRANGE', STREAM, '(' .. ARGV[9], '-', 'COUNT', 1)[1]
  set(q, 'answer', before and before[1] or '')
  set(q, 'given', math.max(0, q.given - (#ARGV - 8)))
end
save(q)
local back = 0
for i = 9, #ARGV do
  local p = call('XPENDING', STREAM, GROUP, ARGV[i], ARGV[i], 1)[1]
  if p then
    call('XCLAIM', STREAM, GROUP, CONSUMER, 0, ARGV[i], 'RETRYCOUNT', math.max(0, p[4] - 1), 'JUSTID')
    back = back + 1
  end
end
return {back}
