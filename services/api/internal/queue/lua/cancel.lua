-- Takes one message out of a queue, if it has been delivered as often as the operator saw.
--
-- ARGV[8] -> id of the entry
-- ARGV[9] -> how often it was delivered; '*': however often
--
-- Returns {1: taken out, 0: it was delivered meanwhile, -1: there is no such message}
local q = load()
local entry = q.epoch ~= '' and call('XRANGE', STREAM, ARGV[8], ARGV[8])[1]
if not entry then return {-1} end
local p = call('XPENDING', STREAM, GROUP, ARGV[8], ARGV[8], 1)[1]
if ARGV[9] ~= '*' and tonumber(ARGV[9]) ~= (p and p[4] or 0) then return {0} end
local messages, bytes = q.messages, q.tail - q.head
take_out(q, entry)
forget_ends(q, {ARGV[8]})
begin_at(q)
account(q, messages, bytes)
save(q)
return {1}
