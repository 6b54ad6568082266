-- Puts a dead letter back into its queue, as the newest message.
--
-- ARGV[8] -> id of the dead letter
--
-- Returns {1: put back, 0: there is no such dead letter}
local q = load()
local entry = call('XRANGE', STREAM .. ':dead', ARGV[8], ARGV[8])[1]
if not entry or q.epoch == '' then return {0} end
begin_epoch(q)
local payload, ends
for i = 1, #entry[2], 2 do
  if entry[2][i] == 'message' then payload = entry[2][i + 1] end
  if entry[2][i] == 'until' then ends = tonumber(entry[2][i + 1]) end
end
local messages, bytes = q.messages, q.tail - q.head
keep_ends(q, append(q, {payload}, ''), {ends})
call('XDEL', STREAM .. ':dead', ARGV[8])
count_dead()
release(q, 'wake')
account(q, messages, bytes)
expect_expiry(q, retention_now())
save(q)
return {1}
